import { mkdir, mkdtempDisposable, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { connectRuntimes, createAgentMetrics, joinRuntimes, startAgent } from '@gatehouse/agent/main.ts';
import { noLog } from '@gatehouse/lib/log.ts';
import { ImageService, RuntimeService } from '@gatehouse/proto/gen/runtime/v1/runtime_pb.ts';
import { clientOf } from '@gatehouse/proto/grpc.ts';
import { Client, credentials } from '@grpc/grpc-js';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { busyboxImage } from '../harness/base-images.ts';
import { type Crio, startCrio } from '../harness/crio.ts';
import { startDocker } from '../harness/docker.ts';
import { buildImage, type Image } from '../harness/images.ts';
import { runOk } from '../harness/process.ts';
import { eventually } from '../harness/wait.ts';
import { npmPackage, OS_RELEASE } from './layers.ts';
import { type RunningCore, startRunningCore } from './running-core.ts';
import { noSockets } from './sockets.ts';

const LOOK_EVERY_MS = 500;
const SELDOM_MS = 600_000;
const EVENTS = 20_000;
const POD = { uid: 'uid-of-the-pod', namespace: 'shop', name: 'web-0', container: 'web' };

let folder: Awaited<ReturnType<typeof mkdtempDisposable>>;
let crio: Crio;
let image: Image;

beforeAll(async () => {
  folder = await mkdtempDisposable(path.join(tmpdir(), 'gatehouse-agent-'));
  crio = await startCrio();
  const base = await busyboxImage(path.join(folder.path, 'busybox'));
  const files = [
    { ...OS_RELEASE, ...npmPackage('minimist', '1.2.0'), ...npmPackage('old', '1.0.0') },
    { 'srv/node_modules/.wh..wh..opq': '', ...npmPackage('new', '1.0.0') },
  ];
  image = await buildImage(path.join(folder.path, 'image'), {
    name: 'registry.test/app:1',
    base,
    layers: await Promise.all(
      files.map(async (each, index) => ({ folder: await lay(`layer-${index}`, each) })),
    ),
  });
  await crio.load(image);
});

afterAll(async () => {
  await crio?.[Symbol.asyncDispose]();
  await folder?.[Symbol.asyncDispose]();
});

async function lay(name: string, files: Readonly<Record<string, string>>): Promise<string> {
  const root = path.join(folder.path, name);
  for (const [file, content] of Object.entries(files)) {
    await mkdir(path.dirname(path.join(root, file)), { recursive: true });
    await writeFile(path.join(root, file), content);
  }
  return root;
}

const socketsOf = ({ socket, storage }: Crio) => ({
  ...noSockets,
  crioSocket: socket,
  crioStorage: [storage],
});

describe('the stand-in for CRI-O', () => {
  let client: Client;
  beforeAll(() => {
    client = new Client(`unix:${crio.socket}`, credentials.createInsecure());
  });
  afterAll(() => client.close());

  it('calls images by ids without an algorithm, and finds them by no others', async () => {
    const images = clientOf(ImageService, client);
    const id = image.id.replace('sha256:', '');
    const known = { id, repoTags: [image.name], repoDigests: [`registry.test/app@${image.digest}`] };
    expect((await images.listImages({})).images).toMatchObject([known]);
    for (const name of [id, id.slice(0, 12), image.name])
      expect(await images.imageStatus({ image: { image: name } })).toMatchObject({ image: known, info: {} });
    for (const name of [image.id, 'registry.test/none:1'])
      expect((await images.imageStatus({ image: { image: name } })).image).toBeUndefined();
  });

  it('tells in detail what an image is made of, and no chain id', async () => {
    const images = clientOf(ImageService, client);
    const { info } = await images.imageStatus({ image: { image: image.name }, verbose: true });
    const told = JSON.parse(info.info ?? '{}') as { imageSpec: object };
    expect(Object.keys(told)).toEqual(['labels', 'imageSpec']);
    expect(told.imageSpec).toMatchObject({ os: 'linux', rootfs: { diff_ids: image.diffIds } });
  });

  it('ends the stream of events at once', async () => {
    const events = clientOf(RuntimeService, client).getContainerEvents({});
    expect(await Array.fromAsync(events)).toEqual([]);
  });
});

describe('an agent at CRI-O', () => {
  let running: RunningCore;
  let agent: AsyncDisposable;

  beforeAll(async () => {
    running = await startRunningCore({});
    await using stack = new AsyncDisposableStack();
    const [runtime] = await connectRuntimes(socketsOf(crio), noLog);
    if (!runtime) throw new Error('no runtime');
    expect(runtime.title).toBe('cri-o 1.30.0');
    stack.use(runtime);
    const parts = { core: running.agents.n1, metrics: createAgentMetrics(), log: noLog };
    const facts = { tick: 50, after: [100], every: 500, confirm: 50 };
    const started = startAgent({ ...parts, runtime, relist: LOOK_EVERY_MS, facts });
    stack.use(started);
    await started.firstLook;
    agent = stack.move();
  });

  afterAll(async () => {
    await agent?.[Symbol.asyncDispose]();
    await running?.[Symbol.asyncDispose]();
  });

  it('reads an image that no container runs, with all that a layer hides', async () => {
    await eventually(
      async () => {
        const response = await fetch(`${running.api}/image?name=${image.name}`);
        expect(await response.json()).toMatchObject({ digest: image.id, state: 'ready', packages: 2 });
      },
      { what: 'the image to be read' },
    );
  });

  it('tells which containers of which pods run it, by looking regularly', async () => {
    await crio.start({ ...POD, image: image.name });
    await eventually(
      async () => {
        const rows = await running.core.app.database.query(
          'select namespace, pod, name, image, running from gatehouse.containers',
        );
        expect(rows).toEqual([
          { namespace: 'shop', pod: 'web-0', name: 'web', image: image.id, running: true },
        ]);
      },
      { what: 'the container to be known' },
    );
  });

  it('tells what of its image a container runs', async () => {
    await eventually(
      async () => {
        const loaded = await running.core.app.database.query(
          `select purl from gatehouse.image_packages join gatehouse.packages on id = package_id
           where image = $1 and loaded`,
          [image.id],
        );
        expect(loaded).toEqual([{ purl: expect.stringContaining('busybox') }]);
        expect(await (await fetch(`${running.api}/drift`)).json()).toEqual({ drift: [] });
      },
      { what: 'what runs to be told' },
    );
  });

  it('sees the root of a container, by which it can be read as well', async () => {
    const [runtime] = await connectRuntimes(socketsOf(crio), noLog);
    if (!runtime) throw new Error('no runtime');
    await using _closing = runtime;
    const signal = AbortSignal.timeout(60_000);
    const inventory = await runtime.inventory(signal);
    const [found] = inventory.images;
    if (!found) throw new Error('no image');
    await using places = await runtime.placesOf(
      found,
      await runtime.layersOf(image.id, signal),
      inventory,
      signal,
    );
    expect(places.folders?.container?.merged).toMatch(/\/overlay\/[0-9a-f]{64}\/merged$/);
  });
});

describe('of several runtimes that answer', () => {
  it('all are read on a machine of one’s own, and only the one that runs the agent’s pod on a node', async () => {
    await using docker = await startDocker();
    const sockets = { ...socketsOf(crio), dockerSocket: docker.socket };
    const titles = async (podUid: string): Promise<readonly string[]> => {
      const runtimes = await connectRuntimes({ ...sockets, podUid }, noLog);
      for (const runtime of runtimes) await runtime[Symbol.asyncDispose]();
      return runtimes.map(({ title }) => title.split(' ')[0] ?? '');
    };
    expect(await titles('')).toEqual(['cri-o', 'docker']);
    expect(await titles(POD.uid)).toEqual(['cri-o']);
    await expect(titles('uid-of-none')).rejects.toMatchObject({
      code: 'not_kubelets',
      message: expect.stringMatching(/uid-of-none .* not on cri-o 1.30.0 or docker/),
    });
  });

  it('each is heard of, by one agent that reads them all', async () => {
    await using running = await startRunningCore({});
    await using docker = await startDocker();
    const root = path.join(folder.path, 'root.tar');
    await runOk(['tar', '-C', await lay('root', OS_RELEASE), '-cf', root, '.']);
    const made = await docker.call('POST', '/images/create?fromSrc=-&repo=elsewhere&tag=1', { file: root });
    expect(made).toMatchObject({ code: 0 });
    const found = await connectRuntimes({ ...socketsOf(crio), dockerSocket: docker.socket }, noLog);
    await using runtime = joinRuntimes(found, noLog);
    const parts = { core: running.agents.n1, metrics: createAgentMetrics(), log: noLog, relist: SELDOM_MS };
    await using agent = startAgent({ ...parts, runtime });
    await agent.firstLook;
    for (const name of [image.name, 'elsewhere:1']) {
      await eventually(
        async () => {
          const response = await fetch(`${running.api}/image?name=${name}`);
          expect(await response.json()).toMatchObject({ state: 'ready' });
        },
        { what: `${name} to be read` },
      );
    }
  });

  it('CRI-O is none whose storage is not where it was said to be', async () => {
    const sockets = { ...socketsOf(crio), crioStorage: [folder.path] };
    await expect(connectRuntimes(sockets, noLog)).rejects.toMatchObject({ code: 'storage_unreadable' });
  });
});

describe('a runtime that sends many events', () => {
  it('is never kept waiting, even while the core does not answer', async () => {
    await using talkative = await startCrio({ events: EVENTS });
    await talkative.load(image);
    const [runtime] = await connectRuntimes(socketsOf(talkative), noLog);
    if (!runtime) throw new Error('no runtime');
    await using _closing = runtime;
    const asked = Promise.withResolvers<void>();
    // A core that hears a report and says nothing.
    const core = {
      reportNode: (_report: unknown, signal: AbortSignal) =>
        new Promise<never>((_resolve, reject) => {
          asked.resolve();
          signal.addEventListener('abort', () => reject(signal.reason as Error));
        }),
    } as unknown as Parameters<typeof startAgent>[0]['core'];
    await using _agent = startAgent({
      runtime,
      core,
      metrics: createAgentMetrics(),
      log: noLog,
      relist: SELDOM_MS,
    });
    await asked.promise;
    await eventually(async () => expect(talkative.eventsTaken).toBeGreaterThanOrEqual(EVENTS), {
      what: 'all events to be taken',
    });
  });
});
