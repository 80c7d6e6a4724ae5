import { createHash, type Hash } from 'node:crypto';
import { readdir, readFile } from 'node:fs/promises';
import path from 'node:path';
import { cached } from './cache.ts';
import { installPackage } from './debian.ts';
import { HarnessError } from './errors.ts';
import { lastLines, progress, run } from './process.ts';

export interface GoBuild {
  readonly name: string;
  readonly version: string;
  /** How long it takes on two cores the first time, for people. */
  readonly usually: string;
  /** A module beside this file, or packages of a public module. */
  readonly from: { readonly folder: string } | { readonly packages: readonly string[] };
  readonly tags?: string;
  /** String variables that the linker sets. */
  readonly variables?: Readonly<Record<string, string>>;
}

/** The folder with the programs of a build, which is made where what it is made from has changed. */
export async function buildPrograms(build: GoBuild): Promise<string> {
  const key = createHash('sha256').update(JSON.stringify(build));
  if ('folder' in build.from) await hashSource(key, path.join(import.meta.dirname, build.from.folder));
  const name = `${build.name}-${build.version}-${key.digest('hex').slice(0, 12)}`;
  return cached('go', name, async (folder) => {
    const go = await findGo();
    progress(`building ${build.name} ${build.version} (about ${build.usually} the first time)`);
    await compile(go, build, folder);
  });
}

async function hashSource(hash: Hash, folder: string): Promise<void> {
  for (const file of (await readdir(folder)).sort())
    hash.update(file).update(await readFile(path.join(folder, file)));
}

async function compile(go: string, build: GoBuild, folder: string): Promise<void> {
  const variables = Object.entries(build.variables ?? {}).map(([name, value]) => `-X ${name}=${value}`);
  const flags = ['-trimpath', '-tags', build.tags ?? '', '-ldflags', ['-s', '-w', ...variables].join(' ')];
  const { code, stderr } =
    'folder' in build.from
      ? await run([go, 'build', ...flags, '-o', folder, '.'], {
          cwd: path.join(import.meta.dirname, build.from.folder),
          env: { CGO_ENABLED: '0' },
        })
      : await run(
          [go, 'install', ...flags, ...build.from.packages.map((each) => `${each}@${build.version}`)],
          {
            env: { CGO_ENABLED: '0', GOBIN: folder },
          },
        );
  if (code === 0) return;
  throw new HarnessError(
    'build_failed',
    `${build.name} ${build.version} did not build: ${lastLines(stderr)}`,
  );
}

/** From 1.21 on, Go fetches by itself the release that a module asks for. */
const OLDEST_GO = 21;

async function findGo(): Promise<string> {
  const go = await installPackage('go', 'golang-go');
  const { stdout } = await run([go, 'version']);
  const minor = Number(/go1\.(\d+)/.exec(stdout)?.[1]);
  if (minor >= OLDEST_GO) return go;
  throw new HarnessError('tool_missing', `${go} is too old: ${stdout.trim()}`, {
    hint: `Install Go 1.${OLDEST_GO} or newer and put it first in the path.`,
  });
}
