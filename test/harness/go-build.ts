import { createHash, type Hash } from 'node:crypto';
import { glob, readdir, readFile, rename } from 'node:fs/promises';
import path from 'node:path';
import { cached } from './cache.ts';
import { installPackage } from './debian.ts';
import { HarnessError } from './errors.ts';
import { lastLines, progress, run, runOk } from './process.ts';

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
/** What stands in for an older one, such as Debian 12 has. It builds all that stands in ./tools.ts. */
const OWN_GO = 'go1.26.4';

/** The path of a Go that builds everything here. */
export async function findGo(): Promise<string> {
  const go = await installPackage('go', 'golang-go');
  const { stdout } = await run([go, 'version']);
  const minor = Number(/go1\.(\d+)/.exec(stdout)?.[1]);
  return minor >= OLDEST_GO ? go : fetchGo(go);
}

/**
 * The path of a newer Go, which an older one fetches as it does any module, checked by the checksum database. It comes
 * as newer ones leave it after fetching it themselves: see `NewerToolchain` in Go's cmd/go/internal/toolchain.
 */
async function fetchGo(olderGo: string): Promise<string> {
  const architectures: Readonly<Record<string, string>> = { x64: 'amd64' };
  const version = `v0.0.1-${OWN_GO}.linux-${architectures[process.arch] ?? process.arch}`;
  const folder = await cached('go-itself', version, async (unfinished) => {
    progress(`fetching ${OWN_GO}`);
    const answer = await runOk([olderGo, 'mod', 'download', '-json', `golang.org/toolchain@${version}`], {
      cwd: unfinished,
    });
    const { Dir: fetched } = JSON.parse(answer) as { Dir: string };
    await runOk(['cp', '-r', `${fetched}/.`, unfinished]);
    await runOk(['chmod', '-R', 'u+w', unfinished]);
    await runOk(['chmod', '-R', '+x', ...['bin', 'pkg/tool'].map((name) => path.join(unfinished, name))]);
    // Modules hold no go.mod but their own, so Go's have another name on the way.
    for await (const file of glob('**/_go.mod', { cwd: unfinished })) {
      await rename(path.join(unfinished, file), path.join(unfinished, path.dirname(file), 'go.mod'));
    }
  });
  return path.join(folder, 'bin', 'go');
}
