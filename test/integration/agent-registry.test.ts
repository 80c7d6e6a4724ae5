import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import {
  connectRuntimes,
  createAgentMetrics,
  Registries,
  type RegistryAccess,
  startAgent,
} from '@gatehouse/agent/main.ts';
import { noLog } from '@gatehouse/lib/log.ts';
import type { ApiAccess } from '@gatehouse/lib/own-cluster.ts';
import { plainSettings } from '@gatehouse/registry';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { busyboxImage } from '../harness/base-images.ts';
import { type Cluster, startCluster } from '../harness/cluster.ts';
import { buildImage, type Image } from '../harness/images.ts';
import { type Registry, startRegistry } from '../harness/registry.ts';
import { eventually } from '../harness/wait.ts';
import { untilDiscarded } from './discarded.ts';
import { npmPackage, OS_RELEASE } from './layers.ts';
import { type Meddler, startMeddler } from './meddler.ts';
import { type RunningCore, startRunningCore } from './running-core.ts';
import { noSockets } from './sockets.ts';

const SELDOM_MS = 600_000;
const manifests = path.resolve(import.meta.dirname, '../../manifests');
const jane = { auth: Buffer.from('jane:secret').toString('base64') };
const noCredentials = { credentials: '', pullSecrets: undefined };

let folder: string;
let cluster: Cluster;
let registry: Registry;
/** The registry by another name, which can be away. */
let meddler: Meddler;
let running: RunningCore;
let insecure: ReadonlySet<string>;

beforeAll(async () => {
  folder = await mkdtemp(path.join(tmpdir(), 'gatehouse-agent-registry-'));
  // Neither archives nor folders of each layer, whether a container has run or not.
  cluster = await startCluster({ snapshotter: 'native', discardUnpackedLayers: true });
  registry = await startRegistry({ users: { jane: 'secret' } });
  meddler = await startMeddler(registry.host);
  insecure = new Set([registry.host, meddler.host]);
  running = await startRunningCore({});
});

afterAll(async () => {
  await running?.[Symbol.asyncDispose]();
  await meddler?.[Symbol.asyncDispose]();
  await registry?.[Symbol.asyncDispose]();
  await cluster?.[Symbol.asyncDispose]();
  await rm(folder, { recursive: true, force: true });
});

/** An image that the registry has, and of which the node has kept no layer by itself. */
async function imageAt(host: string, name: string): Promise<Image> {
  const files = path.join(folder, `${name}-files`);
  for (const [file, content] of Object.entries({ ...OS_RELEASE, ...npmPackage(name, '1.0.0') })) {
    await mkdir(path.dirname(path.join(files, file)), { recursive: true });
    await writeFile(path.join(files, file), content);
  }
  const image = await buildImage(path.join(folder, name), {
    name: `${host}/team/${name}:1`,
    base: await busyboxImage(path.join(folder, `${name}-base`)),
    layers: [{ folder: files }],
    config: { Cmd: ['true'] },
  });
  await registry.push(image.folder, `team/${name}:1`, { as: 'jane:secret' });
  await cluster.load(image);
  await untilDiscarded(cluster, image);
  return image;
}

async function startOne(access: Omit<RegistryAccess, 'settings'>): Promise<AsyncDisposable> {
  await using stack = new AsyncDisposableStack();
  const [runtime] = await connectRuntimes(
    { ...noSockets, containerdSocket: cluster.containerdSocket, hostRoot: cluster.root },
    noLog,
  );
  if (!runtime) throw new Error('no runtime');
  stack.use(runtime);
  const agent = startAgent({
    runtime,
    core: running.agents.n1,
    registries: new Registries({ settings: { ...plainSettings, insecure }, ...access }),
    metrics: createAgentMetrics(),
    log: noLog,
    relist: SELDOM_MS,
  });
  stack.use(agent);
  await agent.firstLook;
  return stack.move();
}

interface FoundImage {
  readonly state: string;
  readonly reason: string | null;
  readonly packages: number;
}

/** Waits until the image is in that state. */
function until(image: Image, state: 'ready' | 'partial'): Promise<FoundImage> {
  return eventually(
    async () => {
      const response = await fetch(`${running.api}/image?name=${image.name}`);
      if (!response.ok) throw new Error(await response.text());
      const found = (await response.json()) as FoundImage;
      expect(found).toMatchObject({ state });
      return found;
    },
    { what: `the image to be ${state}` },
  );
}

async function credentialsFile(name: string, auths: object): Promise<string> {
  const file = path.join(folder, `${name}.json`);
  await writeFile(file, JSON.stringify({ auths }));
  return file;
}

describe('an image of which the node has kept nothing', () => {
  it('is read from its registry, with credentials from a file', async () => {
    const image = await imageAt(registry.host, 'by-file');
    const credentials = await credentialsFile('right', { [registry.host]: jane });
    await using _agent = await startOne({ credentials, pullSecrets: undefined });
    expect((await until(image, 'ready')).packages).toBe(2);
  });

  it('is partial if the registry does not let the agent in, and the reasons of all places are told', async () => {
    const image = await imageAt(registry.host, 'refused');
    const wrong = { auth: Buffer.from('jane:wrong-word').toString('base64') };
    const credentials = await credentialsFile('wrong', { [registry.host]: wrong });
    await using _agent = await startOne({ credentials, pullSecrets: undefined });
    const { reason } = await until(image, 'partial');
    expect(reason).toMatch(/its folder: .*not kept the blob.*its registry: .* answers 401/);
    expect(reason).not.toContain('wrong-word');
  });

  it('is partial if what the registry has by its name is another image', async () => {
    const other = await imageAt(registry.host, 'other');
    const image = await imageAt(registry.host, 'replaced');
    await registry.push(other.folder, 'team/replaced:2', { as: 'jane:secret' });
    const [tagged, wrong] = ['registry.test/replaced:1', `${registry.host}/team/replaced@${other.digest}`];
    for (const name of [tagged, wrong]) await cluster.ctr(['images', 'tag', '--force', image.name, name]);
    for (const name of [image.name, `${registry.host}/team/replaced@${image.digest}`])
      await cluster.ctr(['images', 'rm', '--sync', name]);
    const credentials = await credentialsFile('replaced', { [registry.host]: jane });
    await using _agent = await startOne({ credentials, pullSecrets: undefined });
    const { reason } = await until({ ...image, name: tagged }, 'partial');
    expect(reason).toContain(`${registry.host}/team/replaced has other layers by that name`);
  });

  it('is read when its registry is back', async () => {
    const image = await imageAt(meddler.host, 'later');
    let away = 0;
    // As often as two looks ask.
    meddler.rule = () => (away++ < 4 ? { status: 503, headers: { 'retry-after': '0' } } : undefined);
    const credentials = await credentialsFile('later', { [meddler.host]: jane });
    const retry = { first: 1, most: 2 };
    await using _agent = await startOne({ credentials, pullSecrets: undefined, retry });
    expect((await until(image, 'ready')).packages).toBe(2);
    expect(away).toBeGreaterThan(4);
  });

  it('is not asked for without end', async () => {
    const image = await imageAt(meddler.host, 'never');
    let asked = 0;
    meddler.rule = ({ path: at }) => {
      if (at.includes('/team/never/')) asked++;
      return { status: 503, headers: { 'retry-after': '0' } };
    };
    await using _agent = await startOne({ ...noCredentials, retry: { first: 1, most: 2 } });
    await until(image, 'partial');
    // Five looks of two tries.
    await eventually(() => expect(asked).toBe(10), { what: 'the agent to have tried as often as it does' });
  });
});

describe('pull secrets', () => {
  let api: ApiAccess;

  beforeAll(async () => {
    const namespace = { apiVersion: 'v1', kind: 'Namespace', metadata: { name: 'gatehouse-agents' } };
    const metadata = { name: 'gatehouse-agent', namespace: 'gatehouse-agents' };
    await cluster.apply([namespace, { apiVersion: 'v1', kind: 'ServiceAccount', metadata }]);
    await cluster.apply(await readFile(path.join(manifests, 'components/pull-secrets/roles.yaml'), 'utf8'));
    api = { server: await addressOf(cluster), accountFolder: path.join(folder, 'account') };
    await mkdir(api.accountFolder);
    const { stdout: token } = await cluster.kubectl([
      ...['create', 'token', 'gatehouse-agent', '-n', 'gatehouse-agents'],
    ]);
    await writeFile(path.join(api.accountFolder, 'token'), token);
    await writeFile(path.join(api.accountFolder, 'ca.crt'), await authorityOf(cluster));
  });

  /** A pod that has run the image, with a pull secret. */
  async function runWith(image: Image, name: string, secret: object): Promise<void> {
    await cluster.apply([
      { apiVersion: 'v1', kind: 'Secret', ...secret },
      {
        apiVersion: 'v1',
        kind: 'Pod',
        metadata: { name },
        spec: {
          restartPolicy: 'Never',
          imagePullSecrets: [{ name: (secret as { metadata: { name: string } }).metadata.name }],
          containers: [{ name: 'main', image: image.name, imagePullPolicy: 'Never' }],
        },
      },
    ]);
    const wait = ['wait', '--for=jsonpath={.status.phase}=Succeeded', `pod/${name}`, '--timeout=60s'];
    expect(await cluster.kubectl(wait)).toMatchObject({ code: 0 });
  }

  it.each([
    ['kubernetes.io/dockerconfigjson', '.dockerconfigjson', (auths: object) => ({ auths })],
    ['kubernetes.io/dockercfg', '.dockercfg', (auths: object) => auths],
  ])('of the type %s are used', async (type, key, content) => {
    const name = `secret${key.replace('.', '-')}`;
    const image = await imageAt(registry.host, name);
    const stringData = { [key]: JSON.stringify(content({ [registry.host]: jane })) };
    await cluster.kubectl(['delete', 'secret', 'regcred', '--ignore-not-found']);
    await runWith(image, name, { metadata: { name: 'regcred' }, type, stringData });
    await using _agent = await startOne({ credentials: '', pullSecrets: api });
    expect((await until(image, 'ready')).packages).toBe(2);
  });

  it('that the agent may not read are named', async () => {
    const image = await imageAt(registry.host, 'forbidden');
    const stringData = { '.dockerconfigjson': JSON.stringify({ auths: { [registry.host]: jane } }) };
    await runWith(image, 'forbidden', {
      metadata: { name: 'others' },
      type: 'kubernetes.io/dockerconfigjson',
      stringData,
    });
    await using _agent = await startOne({ credentials: '', pullSecrets: api });
    const { reason } = await until(image, 'partial');
    const mend = 'allow it in the ClusterRole gatehouse-agent-pull-secrets';
    expect(reason).toContain(`the agent may not read the Secret default/others: ${mend}`);
    expect(reason).not.toMatch(/\.;|\.$/);
  });

  it('can be read by name, and nothing else', async () => {
    const as = '--as=system:serviceaccount:gatehouse-agents:gatehouse-agent';
    const may = async (...what: readonly string[]): Promise<string> =>
      (await cluster.kubectl(['auth', 'can-i', ...what, as])).stdout.trim();
    expect(await may('get', 'secrets/regcred')).toBe('yes');
    expect(await may('get', 'pods')).toBe('yes');
    for (const what of [
      ['get', 'secrets'],
      ['list', 'secrets'],
      ['watch', 'secrets'],
      ['list', 'pods'],
      ['get', 'configmaps'],
      ['create', 'pods'],
    ]) {
      expect(await may(...what), what.join(' ')).toBe('no');
    }
  });
});

it('is turned on by a component, in whose role one names the Secrets', async () => {
  const own = path.join(folder, 'overlay');
  await mkdir(own);
  const names = JSON.stringify([{ op: 'replace', path: '/rules/1/resourceNames', value: ['mine'] }]);
  const kustomization = {
    apiVersion: 'kustomize.config.k8s.io/v1beta1',
    kind: 'Kustomization',
    resources: [path.relative(own, path.join(manifests, 'overlays/default'))],
    components: [path.relative(own, path.join(manifests, 'components/pull-secrets'))],
    patches: [{ target: { kind: 'ClusterRole', name: 'gatehouse-agent-pull-secrets' }, patch: names }],
  };
  await writeFile(path.join(own, 'kustomization.yaml'), JSON.stringify(kustomization));
  const { stdout, stderr } = await cluster.kubectl(['kustomize', own]);
  const documents = stdout.split('\n---\n');
  const find = (kind: string, name: string): string =>
    documents.find((each) => each.includes(`kind: ${kind}\n`) && each.includes(`  name: ${name}\n`)) ??
    stderr;
  expect(find('ClusterRole', 'gatehouse-agent-pull-secrets')).toMatch(
    /resourceNames:\n {2}- mine\n {2}resources:/,
  );
  const agents = find('DaemonSet', 'gatehouse-agent');
  for (const part of ['- --registry\n', '- --pull-secrets\n', 'automountServiceAccountToken: true\n'])
    expect(agents).toContain(part);
});

async function addressOf({ kubectl }: Cluster): Promise<string> {
  return (await kubectl(['config', 'view', '-o', 'jsonpath={.clusters[0].cluster.server}'])).stdout;
}

async function authorityOf({ kubectl }: Cluster): Promise<string> {
  const { stdout } = await kubectl([
    'get',
    'configmap',
    'kube-root-ca.crt',
    '-o',
    'jsonpath={.data.ca\\.crt}',
  ]);
  return stdout;
}
