import { createHash } from 'node:crypto';
import { copyFile, glob, mkdir, readFile, rm } from 'node:fs/promises';
import path from 'node:path';
import { cached } from '../../test/harness/cache.ts';
import { progress } from '../../test/harness/process.ts';
import { need } from '../../test/harness/tools.ts';
import { makeApkRoot } from './apk-root.ts';
import { installPython, makeAppLayers, unpackDebian } from './app-layers.ts';
import { makeJavaLayers } from './java-layers.ts';
import { makeRpmRoot } from './rpm-root.ts';

/** The folders of an image's layers, the bottom one first; what is made anew each time comes into `folder`. */
type MakeLayers = (folder: string) => Promise<readonly string[]>;

/** One image for each kind of system, and one for Java. */
export const images: Readonly<Record<string, MakeLayers>> = {
  app: makeAppLayers,
  apk: async (folder) => {
    const base = await madeOnce('apk', (made) => fromDebian(made, makeApkRoot));
    const { opa, busybox } = await need('opa', 'busybox');
    return [path.join(base, 'root'), await programs(folder, [opa, busybox])];
  },
  rpm: async (folder) => {
    const base = await madeOnce('rpm', (made) => fromDebian(made, makeRpmRoot));
    const python = path.join(folder, 'python');
    await installPython(path.join(python, 'usr/local/lib/python3.11/site-packages'));
    return [path.join(base, 'root'), python];
  },
  java: async (folder) => {
    const base = path.join(folder, 'base');
    await mkdir(base);
    await unpackDebian(base, ['openjdk-17-jre-headless']);
    const made = await madeOnce('java', async (into) => void (await makeJavaLayers(into)));
    return [base, ...['servers', 'libraries', 'programs'].map((layer) => path.join(made, layer))];
  },
};

/** Kept on this machine until whatever it is made by changes. */
async function madeOnce(name: string, make: (folder: string) => Promise<void>): Promise<string> {
  const key = createHash('sha256');
  const files = await Array.fromAsync(glob('**/*.{ts,xml}', { cwd: import.meta.dirname }));
  const known = new Set(['packages.ts', 'compare.ts', 'differences.ts']);
  for (const file of files.filter((each) => !known.has(each)).sort()) {
    key.update(await readFile(path.join(import.meta.dirname, file)));
  }
  return cached('bench', `${name}-${key.digest('hex').slice(0, 12)}`, async (folder) => {
    progress(`making the ${name} image`);
    await make(folder);
  });
}

async function fromDebian(
  made: string,
  make: (debian: string, root: string) => Promise<void>,
): Promise<void> {
  const debian = path.join(made, 'debian');
  const root = path.join(made, 'root');
  for (const folder of [debian, root]) await mkdir(folder);
  await unpackDebian(debian);
  await make(debian, root);
  await rm(debian, { recursive: true });
}

async function programs(folder: string, files: readonly string[]): Promise<string> {
  const place = path.join(folder, 'programs/usr/local/bin');
  await mkdir(place, { recursive: true });
  for (const file of files) await copyFile(file, path.join(place, path.basename(file)));
  return path.join(folder, 'programs');
}
