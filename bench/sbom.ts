/**
 * How long it takes to say what is in an image of five layers and about 1 GB, where it lies on a node and from an OCI
 * archive, in one run with Syft, turn by turn; and what either finds that the other does not. Prints one JSON line, with
 * the median of the rounds, the least and the most. Needs root, for an overlay mount, and builds Syft the first time
 * (some 6 min).
 *
 *   node bench/sbom.ts [ROUNDS]
 */
import { mkdir, mkdtemp, readdir, rm, stat } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { inThisProcess } from '@gatehouse/agent/main.ts';
import { noLog } from '@gatehouse/lib/log.ts';
import { type Fragment, fold } from '@gatehouse/sbom';
import { CatalogerProcess } from '../agent/cataloger/cataloger-process.ts';
import { buildImage } from '../test/harness/images.ts';
import { progress, runOk } from '../test/harness/process.ts';
import { need } from '../test/harness/tools.ts';
import { makeAppLayers } from './packages/app-layers.ts';
import { compare, type SyftPackage } from './packages/compare.ts';

const root = path.resolve(import.meta.dirname, '..');
async function main(rounds: number): Promise<void> {
  await using stack = new AsyncDisposableStack();
  const folder = await mkdtemp(path.join(tmpdir(), 'gatehouse-bench-'));
  stack.defer(() => rm(folder, { recursive: true, force: true }));
  const { syft } = await need('syft');
  progress('making the image');
  const layers = await makeAppLayers(folder, 'needed');
  const archive = await makeArchive(folder, layers);
  const merged = await mountMerged(folder, layers, stack);

  const container = { merged: merged.path, upper: merged.upper };
  const read = async (reader: typeof inThisProcess) => {
    const fragments: Fragment[] = [];
    for (const index of layers.keys())
      fragments.push(await reader.catalogFolder({ layers, index, container }));
    return fold(fragments);
  };
  const env = { SYFT_CHECK_FOR_APP_UPDATE: 'false', HOME: folder, PATH: process.env.PATH ?? '' };
  const bySyft = (source: string) =>
    runOk([syft, 'scan', '--output', 'json', source], { env }).then(
      (text) => (JSON.parse(text) as { artifacts: readonly SyftPackage[] }).artifacts,
    );
  const gatehouse = path.join(root, 'node_modules', '.bin', 'gatehouse');
  const byUs = (source: string) => runOk([gatehouse, 'sbom', source, '-o', 'purls']);

  progress('reading it');
  const ours = await read(inThisProcess);
  // Of a folder Syft believes lock files, of an image what is installed.
  const theirs = await bySyft(`oci-archive:${archive}`);
  const stopwatch = new Stopwatch();
  for (let round = 1; round <= rounds; round++) {
    progress(`round ${round}`);
    await using cataloger = new CatalogerProcess(noLog);
    // The process that parses starts with the first layer after a pause.
    await stopwatch.time('foldersAtStart', () => read(cataloger));
    await stopwatch.time('folders', () => read(cataloger));
    await stopwatch.time('foldersInProcess', () => read(inThisProcess));
    await stopwatch.time('syftFolder', () => bySyft(`dir:${merged.path}`));
    await stopwatch.time('archive', () => byUs(`oci-archive:${archive}`));
    await stopwatch.time('syftArchive', () => bySyft(`oci-archive:${archive}`));
  }
  const figures = {
    bench: 'sbom',
    layers: layers.length,
    bytes: await sizeOf(layers),
    files: Number((await runOk(['sh', '-c', `find ${merged.path} -type f | wc -l`])).trim()),
    rounds,
    seconds: stopwatch.seconds(),
    foldersAtStartToSyft: stopwatch.ratio('foldersAtStart', 'syftFolder'),
    foldersToSyft: stopwatch.ratio('folders', 'syftFolder'),
    archiveToSyft: stopwatch.ratio('archive', 'syftArchive'),
    packages: compare('app', ours.packages, theirs),
  };
  process.stdout.write(`${JSON.stringify(figures)}\n`);
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

interface Spread {
  readonly median: number;
  readonly least: number;
  readonly most: number;
}

class Stopwatch {
  readonly #times = new Map<string, number[]>();

  async time(what: string, work: () => Promise<unknown>): Promise<void> {
    const began = performance.now();
    await work();
    const times = this.#times.get(what) ?? [];
    this.#times.set(what, [...times, (performance.now() - began) / 1000]);
  }

  seconds(): Readonly<Record<string, Spread>> {
    return Object.fromEntries([...this.#times.keys()].map((what) => [what, this.#spread(what)]));
  }

  /** Of the medians. */
  ratio(one: string, other: string): number {
    return rounded(this.#spread(one).median / this.#spread(other).median);
  }

  #spread(what: string): Spread {
    const sorted = this.#times.get(what)?.toSorted((a, b) => a - b) ?? [];
    const at = (index: number): number => rounded(sorted.at(index) ?? Number.NaN);
    return { median: at(Math.floor(sorted.length / 2)), least: at(0), most: at(-1) };
  }
}

function rounded(value: number): number {
  return Number(value.toFixed(3));
}

await main(Number(process.argv[2] ?? 3));
