/**
 * What an agent weighs on a node: its memory after 100 images and while it reads a large one, with the process that
 * reads included, and its processor time beside 100 running containers of which nothing is new. Prints one JSON line.
 * Needs root: it starts a node of its own. Takes some eight minutes.
 *
 *   node bench/agent.ts [SECONDS OF REST]
 */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { cp, mkdir, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { debianRoot } from '../test/harness/base-images.ts';
import { type Cluster, startCluster } from '../test/harness/cluster.ts';
import { buildImage, type Image } from '../test/harness/images.ts';
import { progress, runOk } from '../test/harness/process.ts';
import { eventually } from '../test/harness/wait.ts';
import { type RunningCore, startRunningCore, tokenOf } from '../test/integration/running-core.ts';

const IMAGES = 100;
/** A pod that a busy kubelet starts as the last of a hundred. */
const PODS_TIMEOUT_MS = 600_000;
const SAMPLE_MS = 100;
const TICKS_PER_SECOND = 100;
const root = path.resolve(import.meta.dirname, '..');

async function main(restSeconds: number): Promise<void> {
  await using stack = new AsyncDisposableStack();
  const folder = await mkdtemp(path.join(tmpdir(), 'gatehouse-bench-'));
  stack.defer(() => rm(folder, { recursive: true, force: true }));
  progress('starting a node and a core');
  const cluster = stack.use(await startCluster());
  const core = stack.use(await startRunningCore({}));
  progress(`making ${IMAGES} images`);
  const base = await buildImage(path.join(folder, 'base'), {
    name: 'bench.test/base:1',
    layers: [{ tar: await debianRoot(['curl']) }],
    config: { Cmd: ['sleep', 'infinity'] },
  });
  const images = await makeImages(folder, base);
  progress('running a container of each');
  await cluster.load(path.join(folder, 'images'));
  await runAll(cluster, images);

  progress('reading all of them');
  const tokenFile = path.join(folder, 'token');
  await writeFile(tokenFile, tokenOf('n1'));
  const agent = stack.use(await startAgent(cluster, core, tokenFile));
  const began = performance.now();
  await untilKnown(core, images, agent);
  const first = { seconds: seconds(performance.now() - began), peakMib: agent.peak() };
  progress(`resting for ${restSeconds} s`);
  await delay(restSeconds * 1000);
  const idle = await agent.memory();
  const before = await agent.processorSeconds();
  agent.forgetPeak();
  await delay(restSeconds * 1000);
  const used = (await agent.processorSeconds()) - before;

  progress('reading a large image');
  const large = await makeLarge(folder, base);
  agent.forgetPeak();
  await cluster.load(large);
  await runAll(cluster, [large]);
  await untilKnown(core, [large], agent);
  const figures = {
    bench: 'agent',
    images: IMAGES,
    containers: IMAGES,
    firstLook: first,
    idleMib: idle.sum,
    cpuShareAtRest: Number((used / restSeconds).toFixed(5)),
    catalogingPeakMib: agent.peak(),
    afterwardsMib: (await agent.memory()).sum,
  };
  process.stdout.write(`${JSON.stringify(figures)}\n`);
}

/** Each has Debian, a layer that some share, and one of its own. */
async function makeImages(folder: string, base: Image): Promise<readonly Image[]> {
  const modules = await readdir(path.join(root, 'node_modules'));
  const plain = modules.filter((name) => /^[a-z]/.test(name));
  const all = path.join(folder, 'images');
  const images: Image[] = [];
  const entries: unknown[] = [];
  for (let index = 0; index < IMAGES; index++) {
    const layers = [];
    for (const part of [`shared-${index % 10}`, `own-${index}`]) {
      const layer = path.join(folder, part);
      const name = plain[layers.length === 0 ? index % 10 : 10 + index] ?? 'yaml';
      await cp(path.join(root, 'node_modules', name), path.join(layer, 'srv/node_modules', name), {
        recursive: true,
      });
      await writeFile(path.join(layer, 'srv', part), part);
      layers.push({ folder: layer });
    }
    images.push(await buildImage(all, { name: `bench.test/app-${index}:1`, base, layers }));
    const { manifests } = JSON.parse(await readFile(path.join(all, 'index.json'), 'utf8')) as {
      manifests: unknown[];
    };
    entries.push(...manifests);
  }
  await writeFile(path.join(all, 'index.json'), JSON.stringify({ schemaVersion: 2, manifests: entries }));
  return images;
}

/** With compilers, interpreters and the modules of this project on top: some 40,000 files. */
async function makeLarge(folder: string, base: Image): Promise<Image> {
  const layer = path.join(folder, 'large-files');
  await mkdir(path.join(layer, 'srv/app'), { recursive: true });
  await runOk(['cp', '-a', path.join(root, 'node_modules'), path.join(layer, 'srv/app')]);
  await runOk(['sh', '-c', `find ${layer} -type l -lname '../../*' -delete`]);
  const packages = ['build-essential', 'git', 'python3', 'ruby', 'libpython3-dev', 'default-jre-headless'];
  return buildImage(path.join(folder, 'large'), {
    name: 'bench.test/large:1',
    base,
    layers: [{ tar: await debianRoot(packages) }, { folder: layer }],
  });
}

async function runAll(cluster: Cluster, images: readonly Image[]): Promise<void> {
  await cluster.apply(
    images.map(({ name }) => ({
      apiVersion: 'v1',
      kind: 'Pod',
      metadata: { name: path.basename(name).replace(':', '-') },
      spec: {
        terminationGracePeriodSeconds: 0,
        automountServiceAccountToken: false,
        containers: [{ name: 'main', image: name, imagePullPolicy: 'Never' }],
      },
    })),
  );
  const waiting = ['wait', '--for=condition=Ready', 'pods', '--all', `--timeout=${PODS_TIMEOUT_MS / 1000}s`];
  const { code, stderr } = await cluster.kubectl(waiting);
  if (code !== 0) throw new Error(stderr);
}

interface Memory {
  readonly agent: number;
  readonly reader: number;
  readonly sum: number;
}

/** The agent as a process of its own, as on a node. */
class AgentProcess implements AsyncDisposable {
  readonly #process: ChildProcess;
  readonly #sampling: NodeJS.Timeout;
  #peak: Memory = { agent: 0, reader: 0, sum: 0 };

  constructor(child: ChildProcess) {
    this.#process = child;
    this.#sampling = setInterval(() => void this.memory(), SAMPLE_MS);
  }

  /** MiB in memory of the agent, of the process that reads layers, and of both. */
  async memory(): Promise<Memory> {
    const [agent = 0, reader = 0] = await Promise.all((await this.#pids()).map(residentMib));
    const sum = agent + reader;
    if (sum > this.#peak.sum) this.#peak = { agent, reader, sum };
    return { agent, reader, sum };
  }

  /** The largest so far, or since it was forgotten. */
  peak(): Memory {
    return this.#peak;
  }

  forgetPeak(): void {
    this.#peak = { agent: 0, reader: 0, sum: 0 };
  }

  /** Of the agent, and of those of its processes that are gone or there. */
  async processorSeconds(): Promise<number> {
    const stat = await readFile(`/proc/${this.#process.pid}/stat`, 'utf8');
    const fields = stat
      .slice(stat.lastIndexOf(')') + 2)
      .split(' ')
      .map(Number);
    // utime, stime, cutime and cstime, proc(5).
    return fields.slice(11, 15).reduce((sum, ticks) => sum + ticks, 0) / TICKS_PER_SECOND;
  }

  async #pids(): Promise<readonly number[]> {
    const { pid } = this.#process;
    const children = await readFile(`/proc/${pid}/task/${pid}/children`, 'utf8').catch(() => '');
    return [pid ?? 0, ...children.trim().split(' ').filter(Boolean).map(Number)];
  }

  async [Symbol.asyncDispose](): Promise<void> {
    clearInterval(this.#sampling);
    const ended = once(this.#process, 'exit');
    this.#process.kill('SIGTERM');
    await ended;
  }
}

async function residentMib(pid: number): Promise<number> {
  const status = await readFile(`/proc/${pid}/status`, 'utf8').catch(() => '');
  return Math.round(Number(/^VmRSS:\s*(\d+) kB$/m.exec(status)?.[1] ?? 0) / 1024);
}

/** As its DaemonSet runs it. */
async function startAgent(cluster: Cluster, core: RunningCore, tokenFile: string): Promise<AgentProcess> {
  const options = {
    core: core.address,
    'core-ca': core.authorityFile,
    'core-token': tokenFile,
    'containerd-socket': cluster.containerdSocket,
    'host-root': cluster.root,
    'docker-socket': '',
    'ops-listen': '127.0.0.1:0',
  };
  const flags = Object.entries(options).map(([name, value]) => `--${name}=${value}`);
  const command = [path.join(root, 'agent/main.ts'), '--runtime-facts'];
  const env = { ...(await memorySettings()), PATH: process.env.PATH };
  return new AgentProcess(
    spawn(process.execPath, [...command, ...flags], {
      env: { ...env, PATH: process.env.PATH },
      stdio: 'ignore',
    }),
  );
}

/** What the manifests set for the sake of memory. */
async function memorySettings(): Promise<Readonly<Record<string, string>>> {
  const text = await readFile(path.join(root, 'manifests/base/agent.yaml'), 'utf8');
  const found = text.matchAll(/name: (MALLOC_ARENA_MAX|NODE_OPTIONS), value: '([^']+)'/g);
  return Object.fromEntries([...found].map(([, name, value]) => [name, value]));
}

async function untilKnown(core: RunningCore, images: readonly Image[], agent: AgentProcess): Promise<void> {
  await eventually(
    async () => {
      const rows = await core.core.app.database.query<{ state: string }>(
        `select state from gatehouse.images where digest = any ($1) and state <> 'waiting'`,
        [images.map(({ id }) => id)],
      );
      if (rows.length < images.length) throw new Error(`${rows.length} of ${images.length} are known`);
      if (rows.some(({ state }) => state !== 'ready')) throw new Error('not all are ready');
      await agent.memory();
    },
    { what: 'the images to be known', timeout: PODS_TIMEOUT_MS },
  );
}

const seconds = (ms: number): number => Number((ms / 1000).toFixed(1));

await main(Number(process.argv[2] ?? 120));
