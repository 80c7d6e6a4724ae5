import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { connectRuntimes, createAgentMetrics, startAgent } from '@gatehouse/agent/main.ts';
import { noLog } from '@gatehouse/lib/log.ts';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { busyboxImage } from '../harness/base-images.ts';
import { exists } from '../harness/cache.ts';
import { type Cluster, startCluster } from '../harness/cluster.ts';
import { buildImage, type Image } from '../harness/images.ts';
import { eventually } from '../harness/wait.ts';
import { npmPackage, OS_RELEASE } from './layers.ts';
import { type RunningCore, startRunningCore } from './running-core.ts';
import { noSockets } from './sockets.ts';

/** Long enough that nothing here happens by a regular look. */
const SELDOM_MS = 600_000;

type Files = Readonly<Record<string, string>>;

interface FoundImage {
  readonly state: string;
  readonly reason: string | null;
}

/** Snapshots of each chain of layers, not of each layer: what lazy snapshotters come to for the agent. */
describe('an agent where no layer has a folder of its own', () => {
  let folder: string;
  let cluster: Cluster;
  let running: RunningCore;
  let busybox: Image;
  let rootOnly: Image;

  beforeAll(async () => {
    folder = await mkdtemp(path.join(tmpdir(), 'gatehouse-places-'));
    cluster = await startCluster({ snapshotter: 'native' });
    running = await startRunningCore({});
    busybox = await busyboxImage(path.join(folder, 'busybox'));
  });

  afterAll(async () => {
    await running?.[Symbol.asyncDispose]();
    await cluster?.[Symbol.asyncDispose]();
    await rm(folder, { recursive: true, force: true });
  });

  /** An image of busybox and one layer for each of the sets of files, loaded on the node. */
  async function load(name: string, ...layers: readonly Files[]): Promise<Image> {
    const folders = [];
    for (const [index, files] of layers.entries()) {
      const layer = path.join(folder, `${name}-${index}`);
      for (const [file, content] of Object.entries(files)) {
        await mkdir(path.dirname(path.join(layer, file)), { recursive: true });
        await writeFile(path.join(layer, file), content);
      }
      folders.push({ folder: layer });
    }
    const at = path.join(folder, name);
    const image = await buildImage(at, { name: `registry.test/${name}:1`, base: busybox, layers: folders });
    await cluster.load(image);
    return image;
  }

  /** Takes away archives of its layers, counted from the bottom, as containerd does with those it has unpacked. */
  async function discard({ folder: at, digest }: Image, ...layers: readonly number[]): Promise<void> {
    const manifest = JSON.parse(await readFile(path.join(at, 'blobs', ...digest.split(':')), 'utf8')) as {
      layers: { digest: string }[];
    };
    const blobs = layers.flatMap((index) => manifest.layers.at(index)?.digest ?? []);
    expect(await cluster.ctr(['content', 'rm', ...blobs])).toMatchObject({ code: 0 });
    const store = path.join(cluster.root, 'var/lib/containerd/io.containerd.content.v1.content/blobs');
    await eventually(
      async () => {
        for (const blob of blobs)
          if (await exists(path.join(store, ...blob.split(':')))) throw new Error(`${blob} is there`);
      },
      { what: 'the archives to be discarded' },
    );
  }

  async function startOne(): Promise<AsyncDisposable> {
    await using stack = new AsyncDisposableStack();
    const [runtime] = await connectRuntimes(
      { ...noSockets, containerdSocket: cluster.containerdSocket, hostRoot: cluster.root },
      noLog,
    );
    if (!runtime) throw new Error('no runtime');
    stack.use(runtime);
    const metrics = createAgentMetrics();
    const agent = startAgent({ runtime, core: running.agents.n1, metrics, log: noLog, relist: SELDOM_MS });
    stack.use(agent);
    await agent.firstLook;
    return stack.move();
  }

  /** Runs a shell's script in a container of the image, and then waits; with a volume at /srv/volume. */
  async function run(name: string, image: Image, script = ''): Promise<void> {
    const volumeMounts = [{ name: 'volume', mountPath: '/srv/volume' }];
    const command = ['sh', '-c', `${script}\ntouch /ready; while :; do sleep 3600; done`];
    const readinessProbe = { exec: { command: ['test', '-e', '/ready'] }, periodSeconds: 1 };
    const main = { name: 'main', image: image.name, imagePullPolicy: 'Never', command };
    await cluster.apply([
      {
        apiVersion: 'v1',
        kind: 'Pod',
        metadata: { name },
        spec: {
          terminationGracePeriodSeconds: 0,
          containers: [{ ...main, volumeMounts, readinessProbe }],
          volumes: [{ name: 'volume', emptyDir: {} }],
        },
      },
    ]);
    const wait = ['wait', '--for=condition=Ready', `pod/${name}`, '--timeout=60s'];
    expect(await cluster.kubectl(wait)).toMatchObject({ code: 0 });
  }

  async function found({ name }: Image): Promise<FoundImage> {
    const response = await fetch(`${running.api}/image?name=${name}`);
    if (!response.ok) throw new Error(await response.text());
    return (await response.json()) as FoundImage;
  }

  async function purlsOf({ id }: Image): Promise<readonly string[]> {
    const rows = await running.core.app.database.query<{ purl: string }>(
      `select purl from gatehouse.image_packages join gatehouse.packages on id = package_id where image = $1`,
      [id],
    );
    return rows.map(({ purl }) => purl).filter((purl) => purl.startsWith('pkg:npm/'));
  }

  async function untilState(image: Image, state: string): Promise<FoundImage> {
    return eventually(
      async () => {
        const now = await found(image);
        expect(now).toMatchObject({ state });
        return now;
      },
      { what: `${image.name} to be ${state}` },
    );
  }

  it('reads what a container shows where there are no archives, but not what is mounted into it', async () => {
    rootOnly = await load('root', { ...OS_RELEASE, ...npmPackage('b-test', '1.0.0') });
    await discard(rootOnly, 0, 1);
    const hidden = '/srv/volume/node_modules/hidden-test';
    await run(
      'root',
      rootOnly,
      `mkdir -p ${hidden}; echo '{"name":"hidden-test","version":"1.0.0"}' >${hidden}/package.json`,
    );
    await using _agent = await startOne();
    const { reason } = await untilState(rootOnly, 'partial');
    expect(await purlsOf(rootOnly)).toEqual(['pkg:npm/b-test@1.0.0']);
    expect(reason).toMatch(
      /^2 of 2 layers could not be read, first layer sha256:\w+: its folder: the snapshotter native keeps/,
    );
    expect(reason).toMatch(
      /its archive: the node has not kept the blob sha256:\w+\. What a running container/,
    );
  });

  it('goes by the layers alone as soon as all of them can be read, from their archives', async () => {
    await cluster.load(rootOnly);
    await using _agent = await startOne();
    expect(await untilState(rootOnly, 'ready')).toMatchObject({ reason: null });
    expect(await purlsOf(rootOnly)).toEqual(['pkg:npm/b-test@1.0.0']);
  });

  it('lets no container take away what layers that could be read prove', async () => {
    const top = npmPackage('d-test', '1.0.0');
    const image = await load('some', { ...OS_RELEASE, ...npmPackage('c-test', '1.0.0') }, top);
    await discard(image, -1);
    const added = '/opt/node_modules/added-test';
    const script = `rm -r /srv/node_modules/c-test; mkdir -p ${added}
      echo '{"name":"added-test","version":"1.0.0"}' >${added}/package.json`;
    await run('some', image, script);
    await using _agent = await startOne();
    await eventually(
      async () =>
        expect((await purlsOf(image)).toSorted()).toEqual([
          'pkg:npm/added-test@1.0.0',
          'pkg:npm/c-test@1.0.0',
          'pkg:npm/d-test@1.0.0',
        ]),
      { what: 'what the container shows to count too' },
    );
    const { state, reason } = await found(image);
    expect(state).toBe('partial');
    expect(reason).toMatch(new RegExp(`^layer ${image.diffIds.at(-1)}: its folder: the snapshotter`));
  });

  it('decides for each layer alone where it can be read', async () => {
    const layers = ['f-test', 'g-test', 'h-test'].map((name) => npmPackage(name, '1.0.0'));
    const image = await load('gap', ...layers);
    await discard(image, -2);
    await using _agent = await startOne();
    const { reason } = await untilState(image, 'partial');
    expect(reason).toMatch(new RegExp(`^layer ${image.diffIds.at(-2)}: its folder: no container`));
    expect((await purlsOf(image)).toSorted()).toEqual(['pkg:npm/f-test@1.0.0', 'pkg:npm/h-test@1.0.0']);
  });

  it('says why an image cannot be read that no container shows, and reads it when one does', async () => {
    const image = await load('lost', { ...OS_RELEASE, ...npmPackage('e-test', '1.0.0') });
    await discard(image, -1);
    await using _agent = await startOne();
    const { reason } = await untilState(image, 'partial');
    expect(reason).toMatch(
      /: its folder: no container of the image runs here; its archive: the node has not/,
    );
    await run('lost', image);
    await eventually(async () => expect(await purlsOf(image)).toEqual(['pkg:npm/e-test@1.0.0']), {
      what: 'the image to be read from its container',
    });
  });
});
