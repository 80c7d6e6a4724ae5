import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { connectRuntimes, createAgentMetrics, startAgent } from '@gatehouse/agent/main.ts';
import { noLog } from '@gatehouse/lib/log.ts';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type FeedsFolder, makeFeedsFolder } from '../fixtures/feeds.ts';
import { busyboxImage } from '../harness/base-images.ts';
import { type Cluster, startCluster } from '../harness/cluster.ts';
import { buildImage, type Image } from '../harness/images.ts';
import { eventually } from '../harness/wait.ts';
import { untilDiscarded } from './discarded.ts';
import { npmPackage, OS_RELEASE } from './layers.ts';
import { type RunningCore, startRunningCore, Watcher } from './running-core.ts';
import { noSockets } from './sockets.ts';

/** Long enough that nothing here happens by a regular look, except where that is what is shown. */
const SELDOM_MS = 600_000;

/** A folder with these files. */
async function folderOf(folder: string, files: Readonly<Record<string, string>>): Promise<string> {
  for (const [name, content] of Object.entries(files)) {
    await mkdir(path.dirname(path.join(folder, name)), { recursive: true });
    await writeFile(path.join(folder, name), content);
  }
  return folder;
}

interface FoundImage {
  readonly state: string;
  readonly reason: string | null;
  readonly aliases: readonly string[];
  readonly findings: readonly { readonly purl: string }[];
  /** One of them is busybox itself. */
  readonly packages: number;
}

describe.each<{ containerd: '2.4' | '1.6'; relist: number; how: string }>([
  { containerd: '2.4', relist: SELDOM_MS, how: 'at the event of its container' },
  { containerd: '1.6', relist: 1_000, how: 'at the next look, for its events belong to the kubelet' },
])('an agent at containerd $containerd', ({ containerd, relist, how }) => {
  let folder: string;
  let cluster: Cluster;
  let feeds: FeedsFolder;
  let running: RunningCore;
  let image: Image;
  let next = 0;

  beforeAll(async () => {
    folder = await mkdtemp(path.join(tmpdir(), 'gatehouse-agent-'));
    cluster = await startCluster({ containerd, discardUnpackedLayers: containerd === '2.4' });
    feeds = await makeFeedsFolder();
    running = await startRunningCore({ feeds: feeds.path });
    image = await imageWith({ ...OS_RELEASE, ...npmPackage('minimist', '1.2.0') });
  });

  afterAll(async () => {
    await running?.[Symbol.asyncDispose]();
    await feeds?.[Symbol.asyncDispose]();
    await cluster?.[Symbol.asyncDispose]();
    await rm(folder, { recursive: true, force: true });
  });

  /** Busybox with one layer on top. */
  async function imageWith(files: Readonly<Record<string, string>>): Promise<Image> {
    const name = `image-${++next}`;
    const base = await busyboxImage(path.join(folder, `${name}-base`));
    return buildImage(path.join(folder, name), {
      name: `registry.test/${name}:1`,
      base,
      layers: [{ folder: await folderOf(path.join(folder, `${name}-files`), files) }],
    });
  }

  async function startOne(metrics = createAgentMetrics()): Promise<AsyncDisposable> {
    await using stack = new AsyncDisposableStack();
    const [runtime] = await connectRuntimes(
      { ...noSockets, containerdSocket: cluster.containerdSocket, hostRoot: cluster.root },
      noLog,
    );
    if (!runtime) throw new Error('no runtime');
    stack.use(runtime);
    const agent = startAgent({ runtime, core: running.agents.n1, metrics, log: noLog, relist });
    stack.use(agent);
    await agent.firstLook;
    return stack.move();
  }

  async function run(
    name: string,
    what: Image,
    {
      until = 'condition=Ready',
      spec = {},
      main = {},
    }: { until?: string; spec?: object; main?: object } = {},
  ): Promise<void> {
    await cluster.load(what);
    await cluster.apply([
      {
        apiVersion: 'v1',
        kind: 'Pod',
        metadata: { name },
        spec: {
          terminationGracePeriodSeconds: 0,
          containers: [{ name: 'main', image: what.name, imagePullPolicy: 'Never', ...main }],
          ...spec,
        },
      },
    ]);
    const wait = ['wait', `--for=${until}`, `pod/${name}`, '--timeout=60s'];
    expect(await cluster.kubectl(wait)).toMatchObject({ code: 0 });
  }

  async function found(what: Image): Promise<FoundImage> {
    const response = await fetch(`${running.api}/image?name=${what.name}`);
    if (!response.ok) throw new Error(await response.text());
    return (await response.json()) as FoundImage;
  }

  it(`brings an image ${how}, under all its names`, async () => {
    await using _agent = await startOne();
    await using watcher = new Watcher().follow(running.webhook);
    await run('first', image);
    const verdict = await watcher.until(image.id, () => true);
    expect(verdict).toMatchObject({ state: 'ready' });
    const { aliases, packages } = await found(image);
    expect(aliases).toEqual([image.name, `registry.test/image-1@${image.digest}`]);
    expect(packages).toBe(2);
  });

  it('tells which containers of which pods run it', async () => {
    await using _agent = await startOne();
    await eventually(
      async () => {
        const { database } = running.core.app;
        const rows = await database.query(
          `select namespace, pod, name, image, running from gatehouse.containers where pod = 'first'`,
        );
        expect(rows).toEqual([
          { namespace: 'default', pod: 'first', name: 'main', image: image.id, running: true },
        ]);
      },
      { what: 'the container to be known' },
    );
  });

  it('takes a runtime for the kubelet’s by the pod that it is itself in', async () => {
    const sockets = { ...noSockets, containerdSocket: cluster.containerdSocket, hostRoot: cluster.root };
    const { stdout: podUid } = await cluster.kubectl([
      'get',
      'pod',
      'first',
      '-o',
      'jsonpath={.metadata.uid}',
    ]);
    const [runtime] = await connectRuntimes({ ...sockets, podUid }, noLog);
    await using _closing = runtime;
    expect(runtime?.title).toMatch(/^containerd /);
    await expect(connectRuntimes({ ...sockets, podUid: 'another' }, noLog)).rejects.toMatchObject({
      code: 'not_kubelets',
    });
  });

  it('sees a file that an upper layer removed as gone', async () => {
    await using _agent = await startOne();
    const removed = await buildImage(path.join(folder, 'removed'), {
      name: 'registry.test/removed:1',
      base: image,
      layers: [
        {
          folder: await folderOf(path.join(folder, 'removed-files'), { 'srv/node_modules/.wh.minimist': '' }),
        },
      ],
    });
    await run('removed', removed);
    await eventually(
      async () => expect(await found(removed)).toMatchObject({ state: 'ready', packages: 1 }),
      {
        what: 'the image to be read',
      },
    );
  });

  it('forgets nothing of it when the agent starts again: one call, and no layer is sent', async () => {
    const metrics = createAgentMetrics();
    await using _agent = await startOne(metrics);
    expect((await metrics.uploadedBytes.get()).values[0]?.value).toBe(0);
    expect((await metrics.layers.get()).values).toEqual([]);
  });

  const discards = (): void => {
    it('reads an image from the folders of its container', async () => {
      const kept = await imageWith({ ...OS_RELEASE, ...npmPackage('left-pad-test', '1.0.0') });
      await run('kept', kept);
      await untilDiscarded(cluster, kept);
      await using _agent = await startOne();
      await eventually(async () => expect(await found(kept)).toMatchObject({ state: 'ready', packages: 2 }), {
        what: 'the image to be read',
      });
    });

    it('reads an image from the folders of a container that has ended', async () => {
      const ended = await imageWith({ ...OS_RELEASE, ...npmPackage('left-pad-test', '3.0.0') });
      await run('ended', ended, {
        until: 'jsonpath={.status.phase}=Succeeded',
        spec: { restartPolicy: 'Never' },
        main: { command: ['true'] },
      });
      await untilDiscarded(cluster, ended);
      await using _agent = await startOne();
      await eventually(
        async () => expect(await found(ended)).toMatchObject({ state: 'ready', packages: 2 }),
        { what: 'the image to be read' },
      );
    });

    it('says why an image cannot be read that no container shows, and reads it when one does', async () => {
      const lost = await imageWith({ ...OS_RELEASE, ...npmPackage('left-pad-test', '2.0.0') });
      await cluster.load(lost);
      await untilDiscarded(cluster, lost);
      await using _agent = await startOne();
      await eventually(
        async () => expect(await found(lost)).toMatchObject({ state: 'partial', packages: 1 }),
        {
          what: 'the image to be given up',
        },
      );
      const { reason } = await found(lost);
      expect(reason).toMatch(
        /its folder: no container of the image runs here; its archive: the node has not kept the blob/,
      );
      await run('lost', lost);
      await eventually(async () => expect(await found(lost)).toMatchObject({ state: 'ready', packages: 2 }), {
        what: 'the image to be read after all',
      });
    });
  };

  // The import of 1.6 keeps archives whatever the setting says.
  if (containerd === '2.4') describe('where containerd discards archives once they are unpacked', discards);
});
