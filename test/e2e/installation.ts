import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { buildImages } from '../../tools/images.ts';
import { type FeedsFolder, makeFeedsFolder } from '../fixtures/feeds.ts';
import { type Cluster, startCluster } from '../harness/cluster.ts';
import { startFeedServer } from '../harness/feed-server.ts';
import { progress } from '../harness/process.ts';
import { eventually } from '../harness/wait.ts';
import { call, type Reply } from './https.ts';
import { makeTestImages, type TestImages } from './images.ts';

const NAMESPACE = 'gatehouse-system';
const AGENTS = 'gatehouse-agents';
const manifests = path.resolve(import.meta.dirname, '..', '..', 'manifests');
/** The pods of all components, from nothing to ready, on a busy machine. */
const INSTALL_TIMEOUT_MS = 300_000;

/** A pod of ours. */
export interface Pod {
  readonly name: string;
  readonly ip: string;
  readonly containerId: string;
  readonly restarts: number;
  readonly ready: boolean;
}

/** Gatehouse in a real cluster, by its own manifests. */
export interface Installation extends AsyncDisposable {
  readonly cluster: Cluster;
  readonly feeds: FeedsFolder;
  readonly images: TestImages;
  /** The pods of a component that are not on their way out. */
  pods(component: 'core' | 'webhook' | 'agent' | 'postgres'): Promise<readonly Pod[]>;
  /** Asks the HTTP API of the core, as an administrator. */
  api<Answer>(path: string, method?: string): Promise<Answer>;
  /** Sends a body to a path of one webhook pod. */
  post(pod: Pod, path: string, body: string | Buffer): Promise<Reply>;
  /** A figure of a pod's metrics, the sum over its labels that have these words. */
  metric(pod: Pod, name: string, labels?: string): Promise<number>;
  /** Waits until every pod of the component is ready. */
  untilReady(component: 'core' | 'webhook'): Promise<void>;
  /** Installs it again with a further component of the manifests. */
  extend(component: string): Promise<void>;
}

/** Makes the images, starts a cluster, and installs Gatehouse into it. */
export async function install(): Promise<Installation> {
  await using stack = new AsyncDisposableStack();
  const folder = await mkdtemp(path.join(tmpdir(), 'gatehouse-e2e-'));
  stack.defer(() => rm(folder, { recursive: true, force: true }));
  progress('building the images of Gatehouse and those to be judged');
  const own = await buildImages(path.join(folder, 'own'));
  const images = await makeTestImages(path.join(folder, 'test'));

  const cluster = stack.use(await startCluster());
  const feeds = stack.use(await makeFeedsFolder());
  const server = stack.use(await startFeedServer(feeds.path, { host: cluster.hostAddress, port: 0 }));
  for (const image of own) await cluster.load(image);
  progress('installing Gatehouse');
  const apply = async (components: readonly string[]): Promise<void> => {
    const own = await ownOverlay(folder, server.url, components);
    const { code, stderr } = await cluster.kubectl(['apply', '-k', own]);
    if (code !== 0) throw new Error(stderr);
  };
  await apply([]);

  const running = stack.move();
  const installation: Installation = {
    cluster,
    feeds,
    images,
    pods: (component) => pods(cluster, component),
    api: (path, method) => askApi(cluster, path, method),
    post: (pod, path, body) => post(cluster, pod, path, body),
    metric: (pod, name, labels) => metric(pod, name, labels),
    untilReady: (component) => untilReady(cluster, component),
    extend: (component) => apply([component]),
    [Symbol.asyncDispose]: () => running.disposeAsync(),
  };
  await untilReady(cluster, 'core');
  await untilReady(cluster, 'webhook');
  return installation;
}

/** An overlay such as a user writes: the default one, with settings of this installation. */
async function ownOverlay(folder: string, feeds: string, components: readonly string[]): Promise<string> {
  const own = path.join(folder, 'overlay');
  await mkdir(own, { recursive: true });
  const environment = (deployment: string, name: string, value: string): object => ({
    target: { kind: 'Deployment', name: deployment },
    patch: JSON.stringify([
      { op: 'add', path: '/spec/template/spec/containers/0/env/-', value: { name, value } },
    ]),
  });
  const kustomization = {
    apiVersion: 'kustomize.config.k8s.io/v1beta1',
    kind: 'Kustomization',
    resources: [path.relative(own, path.join(manifests, 'overlays', 'default'))],
    components: components.map((each) => path.relative(own, path.join(manifests, 'components', each))),
    patches: [
      {
        target: { kind: 'ConfigMap', name: 'gatehouse-settings' },
        patch: JSON.stringify([{ op: 'replace', path: '/data/feeds', value: feeds.replace(/\/$/, '') }]),
      },
      // A rotation that the tests can wait for.
      environment('gatehouse-webhook', 'GATEHOUSE_TLS_SETTLING', '10s'),
    ],
  };
  await writeFile(path.join(own, 'kustomization.yaml'), JSON.stringify(kustomization));
  return own;
}

interface PodObject {
  readonly metadata: { readonly name: string; readonly deletionTimestamp?: string };
  readonly status: {
    readonly podIP?: string;
    readonly conditions?: readonly { readonly type: string; readonly status: string }[];
    readonly containerStatuses?: readonly { readonly containerID?: string; readonly restartCount: number }[];
  };
}

async function pods(cluster: Cluster, component: string): Promise<readonly Pod[]> {
  const namespace = component === 'agent' ? AGENTS : NAMESPACE;
  const selector = `app.kubernetes.io/name=gatehouse-${component}`;
  const { stdout } = await cluster.kubectl(['get', 'pods', '-n', namespace, '-l', selector, '-o', 'json']);
  const { items } = JSON.parse(stdout) as { items: readonly PodObject[] };
  return items
    .filter(({ metadata }) => !metadata.deletionTimestamp)
    .map(({ metadata, status }) => ({
      name: metadata.name,
      ip: status.podIP ?? '',
      containerId: status.containerStatuses?.[0]?.containerID?.replace('containerd://', '') ?? '',
      restarts: status.containerStatuses?.[0]?.restartCount ?? 0,
      ready: status.conditions?.some(({ type, status }) => type === 'Ready' && status === 'True') ?? false,
    }));
}

async function untilReady(cluster: Cluster, component: 'core' | 'webhook'): Promise<void> {
  const status = [
    'rollout',
    'status',
    '-n',
    NAMESPACE,
    `deployment/gatehouse-${component}`,
    '--timeout',
    '5s',
  ];
  await eventually(
    async () => {
      const { code, stdout, stderr } = await cluster.kubectl(status);
      if (code !== 0) throw new Error(stdout + stderr);
    },
    { what: `the ${component} to be ready`, timeout: INSTALL_TIMEOUT_MS },
  );
}

/** The authority of a serving certificate of ours, from its Secret. */
async function authorityOf(cluster: Cluster, secret: string): Promise<string> {
  const path = ['get', 'secret', '-n', NAMESPACE, secret, '-o', 'jsonpath={.data.ca\\.crt}'];
  return Buffer.from((await cluster.kubectl(path)).stdout, 'base64').toString('utf8');
}

async function askApi<Answer>(cluster: Cluster, path: string, method = 'GET'): Promise<Answer> {
  const token = await cluster.kubectl([
    'create',
    'token',
    'gatehouse-admin',
    '-n',
    NAMESPACE,
    '--audience',
    'gatehouse-core',
  ]);
  const [pod] = await pods(cluster, 'core');
  const { status, body } = await call(`https://${pod?.ip}:8080/api/v1${path}`, {
    method,
    headers: { authorization: `Bearer ${token.stdout.trim()}` },
    ca: await authorityOf(cluster, 'gatehouse-core-tls'),
    servername: 'gatehouse-core',
  });
  if (status >= 300) throw new Error(`${method} ${path}: ${status} ${body}`);
  return JSON.parse(body) as Answer;
}

async function post(cluster: Cluster, pod: Pod, path: string, body: string | Buffer): Promise<Reply> {
  return call(`https://${pod.ip}:8443${path}`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body,
    ca: await authorityOf(cluster, 'gatehouse-webhook-tls'),
    servername: `gatehouse-webhook.${NAMESPACE}.svc`,
  });
}

async function metric(pod: Pod, name: string, labels = ''): Promise<number> {
  const text = await (await fetch(`http://${pod.ip}:9090/metrics`)).text();
  const lines = text
    .split('\n')
    .filter((line) => new RegExp(`^${name}(\\{[^}]*\\})? `).test(line) && line.includes(labels));
  return lines.reduce((sum, line) => sum + Number(line.split(' ').at(-1)), 0);
}
