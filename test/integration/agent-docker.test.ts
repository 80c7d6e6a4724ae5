import { createHash } from 'node:crypto';
import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import {
  connectRuntimes,
  createAgentMetrics,
  inThisProcess,
  type Runtime,
  readLayer,
  startAgent,
} from '@gatehouse/agent/main.ts';
import { noLog } from '@gatehouse/lib/log.ts';
import { catalogBlob, encodeFragment, openSource } from '@gatehouse/sbom';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { busyboxImage } from '../harness/base-images.ts';
import { type Docker, startDocker } from '../harness/docker.ts';
import { buildImage, type Image } from '../harness/images.ts';
import { runOk } from '../harness/process.ts';
import { eventually } from '../harness/wait.ts';
import { npmPackage, OS_RELEASE } from './layers.ts';
import { type RunningCore, startRunningCore } from './running-core.ts';
import { noSockets } from './sockets.ts';

const SELDOM_MS = 600_000;
/** So often that nobody waits. */
const OFTEN = { tick: 50, after: [100], every: 500, confirm: 50 };

describe.each<{ store: 'overlay2' | 'containerd'; how: string }>([
  { store: 'overlay2', how: 'by the folders of a container' },
  { store: 'containerd', how: 'by the archives of containerd' },
])('an agent at Docker with $store', ({ store, how }) => {
  let folder: string;
  let docker: Docker;
  let running: RunningCore;
  let agent: AsyncDisposable;
  let runtime: Runtime | undefined;
  let image: Image;
  let opaque: Image;

  beforeAll(async () => {
    folder = await mkdtemp(path.join(tmpdir(), 'gatehouse-agent-'));
    docker = await startDocker({ store });
    running = await startRunningCore({});
    await using stack = new AsyncDisposableStack();
    [runtime] = await connectRuntimes({ ...noSockets, dockerSocket: docker.socket }, noLog);
    if (!runtime) throw new Error('no runtime');
    stack.use(runtime);
    const started = startAgent({
      runtime,
      core: running.agents.n1,
      metrics: createAgentMetrics(),
      log: noLog,
      relist: SELDOM_MS,
      facts: OFTEN,
    });
    stack.use(started);
    await started.firstLook;
    agent = stack.move();
    const files = { ...OS_RELEASE, ...npmPackage('minimist', '1.2.0'), 'srv/cache/old': 'x' };
    image = await imageWith('app', await busyboxImage(path.join(folder, 'busybox')), files);
  });

  afterAll(async () => {
    await agent?.[Symbol.asyncDispose]();
    await running?.[Symbol.asyncDispose]();
    await docker?.[Symbol.asyncDispose]();
    await rm(folder, { recursive: true, force: true });
  });

  async function imageWith(
    name: string,
    base: Image,
    files: Readonly<Record<string, string>>,
  ): Promise<Image> {
    const layer = path.join(folder, `${name}-files`);
    for (const [file, content] of Object.entries(files)) {
      await mkdir(path.dirname(path.join(layer, file)), { recursive: true });
      await writeFile(path.join(layer, file), content);
    }
    return buildImage(path.join(folder, name), {
      name: `docker.io/library/${name}:1`,
      base,
      layers: [{ folder: layer }],
    });
  }

  /** Loads an image as `docker load` does. */
  async function load(what: Image): Promise<void> {
    const archive = path.join(folder, 'load.tar');
    if (store === 'containerd') await runOk(['tar', '-C', what.folder, '-cf', archive, '.']);
    else await packForDocker(what, archive);
    const { code, stdout } = await docker.call('POST', '/images/load', { file: archive });
    expect(code, stdout).toBe(0);
  }

  /** Docker 20.10 knows its own archives only. */
  async function packForDocker(what: Image, archive: string): Promise<void> {
    const content = path.join(folder, 'load');
    await rm(content, { recursive: true, force: true });
    await mkdir(content);
    const [, hex = ''] = what.id.split(':');
    const blob = (digest: string): string => path.join(what.folder, 'blobs', ...digest.split(':'));
    const manifest = JSON.parse(await readFile(blob(what.digest), 'utf8')) as {
      layers: { digest: string }[];
    };
    await writeFile(path.join(content, `${hex}.json`), await readFile(blob(what.id)));
    for (const [index, layer] of manifest.layers.entries()) {
      await runOk([
        'sh',
        '-c',
        'gzip -dc "$1" > "$2"',
        'sh',
        blob(layer.digest),
        path.join(content, `${index}.tar`),
      ]);
    }
    const layers = manifest.layers.map((_layer, index) => `${index}.tar`);
    const index = [{ Config: `${hex}.json`, RepoTags: [what.name], Layers: layers }];
    await writeFile(path.join(content, 'manifest.json'), JSON.stringify(index));
    await runOk(['tar', '-C', content, '-cf', archive, '.']);
  }

  async function start(what: Image, command?: readonly string[]): Promise<void> {
    const body = { Image: what.name, Cmd: command, HostConfig: { NetworkMode: 'none', Init: false } };
    const created = await docker.call('POST', '/containers/create', JSON.stringify(body));
    expect(created.code, created.stdout).toBe(0);
    const { Id } = JSON.parse(created.stdout) as { Id: string };
    const { code, stdout } = await docker.call('POST', `/containers/${Id}/start`);
    expect(code, stdout).toBe(0);
  }

  async function found(what: Image): Promise<Record<string, unknown>> {
    const response = await fetch(`${running.api}/image?name=${what.name}`);
    if (!response.ok) throw new Error(await response.text());
    return (await response.json()) as Record<string, unknown>;
  }

  it('reads an image that only lies there, and names it in full', async () => {
    await load(image);
    await eventually(
      async () =>
        expect(await found(image)).toMatchObject({
          digest: image.id,
          state: 'ready',
          packages: 2,
          aliases: expect.arrayContaining(['docker.io/library/app:1']),
        }),
      { what: 'the image to be read' },
    );
  });

  it(`reads what a layer hides ${how}`, async () => {
    opaque = await imageWith('opaque', image, { 'srv/.wh..wh..opq': '', 'srv/cache/new': 'y' });
    await load(opaque);
    await start(opaque);
    await eventually(async () => expect(await found(opaque)).toMatchObject({ state: 'ready', packages: 1 }), {
      what: 'the image to be read',
    });
  });

  it('tells which container runs it', async () => {
    await eventually(
      async () => {
        const rows = await running.core.app.database.query('select image, running from gatehouse.containers');
        expect(rows).toEqual([{ image: opaque.id, running: true }]);
      },
      { what: 'the container to be known' },
    );
  });

  it('tells what of its image a container runs, and what besides', async () => {
    const runs = await imageWith('runs', image, { 'srv/name': 'runs' });
    await load(runs);
    const script = 'mkdir /x; cp /bin/busybox /x/sleep; sh -c "exec /x/sleep 1000" & sleep 1000';
    await start(runs, ['sh', '-c', script]);
    await eventually(
      async () => {
        const { drift } = (await (await fetch(`${running.api}/drift`)).json()) as { drift: unknown[] };
        expect(drift).toMatchObject([{ image: runs.id, path: '/x/sleep', kind: 'written' }]);
        const loaded = await running.core.app.database.query(
          `select purl from gatehouse.image_packages join gatehouse.packages on id = package_id
           where image = $1 and loaded`,
          [runs.id],
        );
        expect(loaded).toEqual([{ purl: expect.stringContaining('busybox') }]);
      },
      { what: 'what runs to be told' },
    );
  });

  it('knows the pods that a kubelet runs by cri-dockerd, and itself among them', async () => {
    // As cri-dockerd does it: a container that holds the pod, and those of the pod.
    const labels = (type: string, name: string): object => ({
      'io.kubernetes.docker.type': type,
      'io.kubernetes.container.name': name,
      'io.kubernetes.pod.name': 'web-0',
      'io.kubernetes.pod.namespace': 'shop',
      'io.kubernetes.pod.uid': 'uid-of-the-pod',
    });
    for (const Labels of [labels('podsandbox', 'POD'), labels('container', 'web')]) {
      const body = JSON.stringify({ Image: image.name, Labels, HostConfig: { NetworkMode: 'none' } });
      expect(await docker.call('POST', '/containers/create', body)).toMatchObject({ code: 0 });
    }
    const sockets = { ...noSockets, dockerSocket: docker.socket };
    const [found] = await connectRuntimes({ ...sockets, podUid: 'uid-of-the-pod' }, noLog);
    const { containers = [] } = (await found?.inventory(AbortSignal.timeout(60_000))) ?? {};
    expect(containers.filter(({ podUid }) => podUid !== '')).toMatchObject([
      { name: 'web', namespace: 'shop', pod: 'web-0', podUid: 'uid-of-the-pod', image: image.id },
    ]);
    await expect(connectRuntimes({ ...sockets, podUid: 'another' }, noLog)).rejects.toMatchObject({
      code: 'not_kubelets',
    });
  });

  it('says of each layer what its archive says, to the byte, though no container runs and nothing is exported', async () => {
    const signal = AbortSignal.timeout(60_000);
    const still = await imageWith('still', image, {
      'srv/.wh..wh..opq': '',
      ...npmPackage('still', '1.0.0'),
    });
    await load(still);
    const inventory = await runtime?.inventory(signal);
    const found = inventory?.images.find(({ digest }) => digest === still.id);
    if (!runtime || !inventory || !found) throw new Error('the image was not loaded');
    const layers = await runtime.layersOf(still.id, signal);
    await using places = await runtime.placesOf(found, layers, inventory, signal);
    // An export has the names of the layers.
    expect(places.blobs.map((blob) => 'name' in blob && layers.diffIds.includes(blob.name))).toEqual(
      layers.diffIds.map((diffId) => store === 'overlay2' && diffId === layers.diffIds[0]),
    );
    await using source = await openSource(`oci-dir:${still.folder}`);
    for (const [index, { diffId, ...layer }] of source.layers.entries()) {
      const { fragment } = await catalogBlob({ name: diffId, open: layer.open }, { diffId });
      const expected = await encodeFragment(fragment);
      const ways = store === 'overlay2' ? [places, { ...places, folders: undefined }] : [places];
      for (const way of ways)
        expect(await encodeFragment(await readLayer(inThisProcess, way, { index, diffId }, signal))).toEqual(
          expected,
        );
    }
  });

  // Docker 20.10 knows no indexes.
  if (store === 'containerd') {
    it('knows an image by its configuration that came in an index, beside an attestation', async () => {
      const indexed = await imageWith('indexed', image, npmPackage('indexed', '1.0.0'));
      const index = await wrapInIndex(indexed);
      await load(indexed);
      const { images = [] } = (await runtime?.inventory(AbortSignal.timeout(60_000))) ?? {};
      expect(images.filter(({ aliases }) => aliases.includes('indexed:1'))).toEqual([
        { digest: indexed.id, aliases: expect.arrayContaining(['indexed:1', index]) },
      ]);
      await eventually(
        async () => expect(await found(indexed)).toMatchObject({ state: 'ready', packages: 3 }),
        {
          what: 'the image to be read',
        },
      );
    });
  }

  /** Puts an index around an image in its folder, as BuildKit writes it; gives its digest. */
  async function wrapInIndex({ folder: layout, name }: Image): Promise<string> {
    const add = async (content: object): Promise<{ digest: string; size: number }> => {
      const bytes = Buffer.from(JSON.stringify(content));
      const hex = createHash('sha256').update(bytes).digest('hex');
      await writeFile(path.join(layout, 'blobs/sha256', hex), bytes);
      return { digest: `sha256:${hex}`, size: bytes.length };
    };
    const type = (what: string): string => `application/vnd.oci.image.${what}.v1+json`;
    const { manifests } = JSON.parse(await readFile(path.join(layout, 'index.json'), 'utf8'));
    const { digest, size, mediaType } = manifests[0];
    const statement = await add({ predicateType: 'https://slsa.dev/provenance/v1' });
    const config = await add({
      architecture: 'unknown',
      os: 'unknown',
      rootfs: { diff_ids: [statement.digest] },
    });
    const attestation = await add({
      schemaVersion: 2,
      mediaType: type('manifest'),
      config: { mediaType: type('config'), ...config },
      layers: [{ mediaType: 'application/vnd.in-toto+json', ...statement }],
    });
    const unknown = { architecture: 'unknown', os: 'unknown' };
    const index = await add({
      schemaVersion: 2,
      mediaType: type('index'),
      manifests: [
        { mediaType: type('manifest'), ...attestation, platform: unknown },
        {
          mediaType,
          digest,
          size,
          platform: { architecture: process.arch.replace('x64', 'amd64'), os: 'linux' },
        },
      ],
    });
    const annotations = { 'io.containerd.image.name': name };
    const top = { schemaVersion: 2, manifests: [{ mediaType: type('index'), ...index, annotations }] };
    await writeFile(path.join(layout, 'index.json'), JSON.stringify(top));
    return index.digest;
  }
});
