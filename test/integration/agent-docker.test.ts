import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { connectRuntimes, createAgentMetrics, startAgent } from '@gatehouse/agent/main.ts';
import { noLog } from '@gatehouse/lib/log.ts';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { busyboxImage } from '../harness/base-images.ts';
import { type Docker, startDocker } from '../harness/docker.ts';
import { buildImage, type Image } from '../harness/images.ts';
import { runOk } from '../harness/process.ts';
import { eventually } from '../harness/wait.ts';
import { npmPackage, OS_RELEASE } from './layers.ts';
import { type RunningCore, startRunningCore } from './running-core.ts';

const SELDOM_MS = 600_000;

describe('an agent at Docker', () => {
  let folder: string;
  let docker: Docker;
  let running: RunningCore;
  let agent: AsyncDisposable;
  let image: Image;

  beforeAll(async () => {
    folder = await mkdtemp(path.join(tmpdir(), 'gatehouse-agent-'));
    docker = await startDocker();
    running = await startRunningCore({});
    await using stack = new AsyncDisposableStack();
    const sockets = { containerdSocket: '', containerdRoot: '', containerdState: '', hostRoot: '/' };
    const [runtime] = await connectRuntimes({ ...sockets, dockerSocket: docker.socket }, noLog);
    if (!runtime) throw new Error('no runtime');
    stack.use(runtime);
    const started = startAgent({
      runtime,
      core: running.agents.n1,
      metrics: createAgentMetrics(),
      log: noLog,
      relist: SELDOM_MS,
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
    return buildImage(path.join(folder, name), { name: `${name}:1`, base, layers: [{ folder: layer }] });
  }

  /** Loads an image as `docker load` does. Docker 20.10 knows its own archives only. */
  async function load(what: Image): Promise<void> {
    const archive = path.join(folder, 'load.tar');
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
    const { code, stdout } = await docker.call('POST', '/images/load', { file: archive });
    expect(code, stdout).toBe(0);
  }

  async function start(what: Image): Promise<void> {
    const body = { Image: what.name, HostConfig: { NetworkMode: 'none', Init: false } };
    const created = await docker.call('POST', '/containers/create', JSON.stringify(body));
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
          aliases: ['docker.io/library/app:1'],
        }),
      { what: 'the image to be read' },
    );
  });

  it('reads what a layer hides by the folders of a container', async () => {
    const opaque = await imageWith('opaque', image, { 'srv/.wh..wh..opq': '', 'srv/cache/new': 'y' });
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
        expect(rows).toMatchObject([{ running: true }]);
      },
      { what: 'the container to be known' },
    );
  });
});
