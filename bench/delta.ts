/**
 * What it costs to bring an image whose layers the core has, of five and of thirty layers, and what it costs to bring
 * the same ones for the first time: bytes on the wire both ways, with TLS and all headers, and milliseconds. A real core
 * on a PostgreSQL of its own, the agent's own code, and a token of the length that service accounts' have. Prints one
 * JSON line.
 *
 *   node bench/delta.ts [ROUNDS]
 */
import { createHash, randomUUID } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { mkdtemp, readdir, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { createAgentMetrics, inThisProcess } from '@gatehouse/agent/main.ts';
import type { CoreClient } from '@gatehouse/core-client';
import { noLog } from '@gatehouse/lib/log.ts';
import { bringImage, type ImageOrigin } from '../agent/image-worker.ts';
import { progress, runOk } from '../test/harness/process.ts';
import { startTcpProxy, type TcpProxy } from '../test/harness/tcp-proxy.ts';
import { eventually } from '../test/harness/wait.ts';
import { type RunningCore, startRunningCore } from '../test/integration/running-core.ts';

const root = path.resolve(import.meta.dirname, '..');
const NAME = 'registry.example.com/team/department/application';
/** As a node knows an image that was tagged and pulled a few times. */
const ALIASES = [
  `${NAME}:2026.11.3`,
  `${NAME}:latest`,
  `${NAME}:stable`,
  ...['a', 'b'].map((hex) => `${NAME}@sha256:${hex.repeat(64)}`),
];

/** How often a known image is asked about in a round. */
const CALLS = 20;

interface BenchLayer {
  readonly diffId: string;
  readonly tar: string;
}

interface Cost {
  readonly bytes: number;
  readonly ms: number;
}

async function main(rounds: number): Promise<void> {
  await using stack = new AsyncDisposableStack();
  const folder = await mkdtemp(path.join(tmpdir(), 'gatehouse-bench-'));
  stack.defer(() => rm(folder, { recursive: true, force: true }));
  progress('starting a core');
  const running = stack.use(await startRunningCore({}));
  const proxy = stack.use(await startTcpProxy(running.core.grpcPort));
  const core = stack.use(running.connect('n1', proxy.port));
  // The connection is there before anything is counted.
  await core.reportNode({ runtime: 'bench 1', images: [], containers: [] });

  const figures: Record<string, unknown> = { bench: 'delta', rounds };
  for (const count of [5, 30]) {
    progress(`making an image of ${count} layers`);
    const layers = await makeLayers(path.join(folder, `${count}`), count);
    const everything: Cost[] = [];
    const known: Cost[] = [];
    let calls = 0;
    for (let round = 0; round < rounds; round++) {
      const image = await imageOf(folder, layers, round);
      everything.push(await bring(core, proxy, image));
      await untilJudged(running);
      for (let call = 0; call < CALLS; call++) known.push(await bring(core, proxy, image));
      calls = await callsOf(core, image);
      // So that the layers are missing in the next round as well.
      await running.core.app.database.query('truncate gatehouse.layers');
    }
    figures[`layers${count}`] = { known: { calls, ...worst(known) }, everything: worst(everything) };
  }
  process.stdout.write(`${JSON.stringify(figures)}\n`);
}

/** Waits until the core has done what the last image made it do. */
async function untilJudged({ core: { app } }: RunningCore): Promise<void> {
  await eventually(
    async () => {
      const pending = await app.jobs.pending(app.database);
      if (pending.length > 0) throw new Error(`${pending.join()} still runs`);
    },
    { what: 'the core to be idle' },
  );
}

/** The packages that this repository depends on, shared out among the layers. */
async function makeLayers(folder: string, count: number): Promise<readonly BenchLayer[]> {
  const modules = path.join(root, 'node_modules');
  const names = (await readdir(modules))
    .filter((name) => !name.startsWith('.') && name !== '@gatehouse')
    .sort();
  const layers: BenchLayer[] = [];
  for (let index = 0; index < count; index++) {
    const own = names
      .filter((_name, position) => position % count === index)
      .map((name) => `node_modules/${name}`);
    const tar = `${folder}-${index}.tar`;
    await runOk(['tar', '-cf', tar, '-C', root, '--transform=s,^,srv/app/,', ...own]);
    layers.push({ tar, diffId: await digestOf(createReadStream(tar)) });
  }
  return layers;
}

interface BenchImage {
  readonly image: { readonly digest: string; readonly aliases: readonly string[] };
  readonly origin: ImageOrigin;
}

/** An image of these layers that differs from those of other rounds. */
async function imageOf(folder: string, layers: readonly BenchLayer[], round: number): Promise<BenchImage> {
  const diffIds = layers.map(({ diffId }) => diffId);
  const about = { created_by: `bench ${round} ${randomUUID()}` };
  const parts = { os: 'linux', architecture: 'amd64', rootfs: { type: 'layers', diff_ids: diffIds } };
  const config = Buffer.from(JSON.stringify({ ...parts, history: diffIds.map(() => about) }));
  await writeFile(path.join(folder, 'config.json'), config);
  const digest = await digestOf(createReadStream(path.join(folder, 'config.json')));
  const places = {
    folders: undefined,
    blobs: layers.map(({ diffId, tar }) => ({ name: diffId, open: () => createReadStream(tar) })),
    [Symbol.asyncDispose]: async () => undefined,
  };
  const origin: ImageOrigin = {
    layersOf: async () => ({ platform: 'linux/amd64', diffIds, config: async () => config }),
    placesOf: async () => places,
  };
  return { image: { digest, aliases: ALIASES }, origin };
}

async function digestOf(bytes: AsyncIterable<Buffer>): Promise<string> {
  const hash = createHash('sha256');
  for await (const chunk of bytes) hash.update(chunk);
  return `sha256:${hash.digest('hex')}`;
}

/** Brings an image as an agent does; gives what that costs. */
async function bring(core: CoreClient, proxy: TcpProxy, { image, origin }: BenchImage): Promise<Cost> {
  const parts = { core, cataloger: inThisProcess, metrics: createAgentMetrics(), log: noLog };
  const before = proxy.sent + proxy.received;
  const began = performance.now();
  await bringImage(parts, origin, image, new AbortController().signal);
  return { ms: performance.now() - began, bytes: proxy.sent + proxy.received - before };
}

/** How many calls it takes to bring an image. */
async function callsOf(core: CoreClient, { image, origin }: BenchImage): Promise<number> {
  let calls = 0;
  const counting = new Proxy(core, {
    get(target, name) {
      const method: unknown = Reflect.get(target, name);
      if (typeof method !== 'function') return method;
      return (...args: unknown[]): unknown => {
        calls++;
        return Reflect.apply(method, target, args);
      };
    },
  });
  const parts = { core: counting, cataloger: inThisProcess, metrics: createAgentMetrics(), log: noLog };
  await bringImage(parts, origin, image, new AbortController().signal);
  return calls;
}

/** The most bytes, and the least, the median and the most of the times. */
function worst(costs: readonly Cost[]) {
  const times = costs.map(({ ms }) => ms).sort((a, b) => a - b);
  const round = (ms: number | undefined): number => Number((ms ?? 0).toFixed(1));
  return {
    bytes: Math.max(...costs.map(({ bytes }) => bytes)),
    ms: {
      least: round(times[0]),
      median: round(times[Math.floor(times.length / 2)]),
      most: round(times.at(-1)),
    },
  };
}

await main(Number(process.argv[2] ?? 10));
