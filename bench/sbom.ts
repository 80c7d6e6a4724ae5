/**
 * How long it takes to say what is in an image of five layers and about 0.9 GB, where it lies on a node and from an OCI
 * archive, in one run with Syft; and what either finds that the other does not. Prints one JSON line. Needs root, for
 * an overlay mount, and builds Syft the first time (some 6 min).
 *
 *   node bench/sbom.ts [ROUNDS]
 */
import { mkdir, mkdtemp, readdir, rm, stat } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { inThisProcess } from '@gatehouse/agent/main.ts';
import { noLog } from '@gatehouse/lib/log.ts';
import { type Fragment, fold, type ImagePackage } from '@gatehouse/sbom';
import { CatalogerProcess } from '../agent/cataloger/cataloger-process.ts';
import { debianRoot } from '../test/harness/base-images.ts';
import { buildImage } from '../test/harness/images.ts';
import { progress, runOk } from '../test/harness/process.ts';
import { need } from '../test/harness/tools.ts';

const root = path.resolve(import.meta.dirname, '..');
/** A compiler, an interpreter or two and version control: what images of continuous integration have. */
const DEBIAN = ['build-essential', 'git', 'python3', 'ruby', 'curl', 'libpython3-dev', 'postgresql-client'];
const PYPI = ['django==4.2.0', 'requests==2.31.0', 'jinja2==3.1.2', 'numpy==1.26.4', 'cryptography==41.0.0'];

async function main(rounds: number): Promise<void> {
  await using stack = new AsyncDisposableStack();
  const folder = await mkdtemp(path.join(tmpdir(), 'gatehouse-bench-'));
  stack.defer(() => rm(folder, { recursive: true, force: true }));
  const { syft } = await need('syft');
  progress('making the image');
  const layers = await makeLayers(folder);
  const archive = await makeArchive(folder, layers);
  const merged = await mountMerged(folder, layers, stack);
  const cataloger = stack.use(new CatalogerProcess(noLog));

  const container = { merged: merged.path, upper: merged.upper };
  const read = async (reader: typeof inThisProcess) => {
    const fragments: Fragment[] = [];
    for (const index of layers.keys())
      fragments.push(await reader.catalogFolder({ layers, index, container }));
    return fold(fragments);
  };
  const env = { SYFT_CHECK_FOR_APP_UPDATE: 'false', HOME: folder, PATH: process.env.PATH ?? '' };
  const bySyft = (source: string) =>
    runOk([syft, 'scan', '--output', 'json', source], { env }).then(JSON.parse);
  const gatehouse = path.join(root, 'node_modules', '.bin', 'gatehouse');
  const byUs = (source: string) => runOk([gatehouse, 'sbom', source, '-o', 'purls']);

  progress('reading it');
  const ours = await read(cataloger);
  // Of a folder Syft believes lock files, of an image what is installed.
  const theirs = (await bySyft(`oci-archive:${archive}`)) as SyftDocument;
  const times = {
    folders: await median(rounds, () => read(cataloger)),
    foldersInProcess: await median(rounds, () => read(inThisProcess)),
    archive: await median(rounds, () => byUs(`oci-archive:${archive}`)),
    syftFolder: await median(rounds, () => bySyft(`dir:${merged.path}`)),
    syftArchive: await median(rounds, () => bySyft(`oci-archive:${archive}`)),
  };
  const figures = {
    bench: 'sbom',
    layers: layers.length,
    bytes: await sizeOf(layers),
    files: Number((await runOk(['sh', '-c', `find ${merged.path} -type f | wc -l`])).trim()),
    seconds: times,
    foldersToSyft: ratio(times.folders, times.syftFolder),
    archiveToSyft: ratio(times.archive, times.syftArchive),
    packages: compare(ours.packages, theirs),
  };
  process.stdout.write(`${JSON.stringify(figures)}\n`);
}

/** The folders of the layers, as a runtime has unpacked them, the bottom one first. */
async function makeLayers(folder: string): Promise<readonly string[]> {
  const { pip, kube, opa } = await need('pip', 'kube', 'opa');
  const place = async (index: number, inside = ''): Promise<string> => {
    const made = path.join(folder, `layer-${index}`, inside);
    await mkdir(made, { recursive: true });
    return made;
  };
  await runOk(['tar', '-xf', await debianRoot(DEBIAN), '-C', await place(0), '--exclude=./dev/*']);
  await runOk(['cp', '-a', path.join(root, 'node_modules'), await place(1, 'srv/app')]);
  // Links to our own workspaces lead out of the image.
  await runOk(['sh', '-c', `find ${await place(1)} -type l -lname '../../*' -delete`]);
  const site = await place(2, 'usr/local/lib/python3.11/dist-packages');
  await runOk([pip, 'install', '--quiet', '--no-compile', '--target', site, ...PYPI]);
  await runOk(['cp', kube, opa, await place(3, 'usr/local/bin')]);
  await runOk(['cp', '-a', path.join(root, 'sbom'), path.join(root, 'docs'), await place(4, 'srv/own')]);
  return Promise.all([0, 1, 2, 3, 4].map((index) => place(index)));
}

async function makeArchive(folder: string, layers: readonly string[]): Promise<string> {
  const image = path.join(folder, 'image');
  await buildImage(image, { name: 'bench.test/app:1', layers: layers.map((layer) => ({ folder: layer })) });
  const archive = path.join(folder, 'image.tar');
  await runOk(['tar', '-cf', archive, '-C', image, 'oci-layout', 'index.json', 'blobs']);
  return archive;
}

async function mountMerged(
  folder: string,
  layers: readonly string[],
  stack: AsyncDisposableStack,
): Promise<{ path: string; upper: string }> {
  const [merged = '', upper = '', work = ''] = ['merged', 'upper', 'work'].map((name) =>
    path.join(folder, name),
  );
  for (const each of [merged, upper, work]) await mkdir(each);
  const options = `lowerdir=${layers.toReversed().join(':')},upperdir=${upper},workdir=${work}`;
  await runOk(['mount', '-t', 'overlay', 'bench', '-o', options, merged]);
  stack.defer(async () => void (await runOk(['umount', merged])));
  return { path: merged, upper };
}

async function sizeOf(layers: readonly string[]): Promise<number> {
  const sums = await Promise.all(
    layers.map(async (layer) => {
      const names = await readdir(layer, { recursive: true, withFileTypes: true });
      const files = names.filter((each) => each.isFile());
      const sizes = await Promise.all(
        files.map(async (each) => (await stat(path.join(each.parentPath, each.name))).size),
      );
      return sizes.reduce((sum, size) => sum + size, 0);
    }),
  );
  return sums.reduce((sum, size) => sum + size, 0);
}

/** Seconds. */
async function median(rounds: number, work: () => Promise<unknown>): Promise<number> {
  const times: number[] = [];
  for (let round = 0; round < rounds; round++) {
    const began = performance.now();
    await work();
    times.push((performance.now() - began) / 1000);
  }
  return round(times.sort((a, b) => a - b)[Math.floor(times.length / 2)] ?? 0, 3);
}

interface SyftDocument {
  readonly artifacts: readonly { readonly name: string; readonly version: string; readonly type: string }[];
}

/** Syft's words for types that we call otherwise. */
const types: Readonly<Record<string, string>> = {
  'go-module': 'golang',
  python: 'pypi',
  'java-archive': 'maven',
  binary: 'generic',
  'rust-crate': 'cargo',
};

function compare(ours: readonly ImagePackage[], { artifacts }: SyftDocument) {
  const own = new Set(ours.map(({ type, name, version }) => `${type} ${name.toLowerCase()} ${version}`));
  const other = new Set(
    artifacts.map(
      ({ type, name, version }) => `${types[type] ?? type} ${name.toLowerCase()} ${versionOf(name, version)}`,
    ),
  );
  return {
    ours: own.size,
    syft: other.size,
    onlyOurs: [...own].filter((each) => !other.has(each)).sort(),
    onlySyft: [...other].filter((each) => !own.has(each)).sort(),
  };
}

/** Syft's words for versions that we say otherwise. */
function versionOf(name: string, version: string): string {
  if (version === 'UNKNOWN') return '(devel)';
  return name === 'stdlib' ? version.replace(/^go/, '') : version;
}

function ratio(a: number, b: number): number {
  return round(a / b, 3);
}

function round(value: number, digits: number): number {
  return Number(value.toFixed(digits));
}

await main(Number(process.argv[2] ?? 3));
