import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, readdir, readFile, readlink, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { busyboxImage } from '../harness/base-images.ts';
import { hierarchies } from '../harness/cgroups.ts';
import { type Cluster, startCluster } from '../harness/cluster.ts';
import { findCluster } from '../harness/cluster-record.ts';
import { namesOfImages } from '../harness/cri.ts';
import { startFeedServer } from '../harness/feed-server.ts';
import type { Image } from '../harness/images.ts';
import { createNamespaces, removeCluster } from '../harness/namespaces.ts';
import { networkOf } from '../harness/network.ts';
import { type Result, run } from '../harness/process.ts';
import { slotOf } from '../harness/slots.ts';
import { need } from '../harness/tools.ts';
import { eventually } from '../harness/wait.ts';

/** For a second cluster, unlike any that a person has running. */
const NAME = `second-${process.pid}`;

let folder: string;
let image: Image;

beforeAll(async () => {
  folder = await mkdtemp(path.join(tmpdir(), 'harness-test-'));
  image = await busyboxImage(path.join(folder, 'busybox'));
});

afterAll(() => rm(folder, { recursive: true }));

interface PodStatus {
  readonly phase: string;
  readonly podIP: string;
  readonly containerStatuses: readonly { readonly containerID: string; readonly imageID: string }[];
}

const kubectl = (words: string, input = ''): Promise<Result> => cluster.kubectl(words.split(' '), { input });

const podOf = (name: string, container: object = {}, spec: object = {}): object => ({
  apiVersion: 'v1',
  kind: 'Pod',
  metadata: { name, labels: { app: name } },
  spec: {
    terminationGracePeriodSeconds: 0,
    containers: [{ name: 'main', image: image.name, imagePullPolicy: 'Never', ...container }],
    ...spec,
  },
});

async function untilRunning(on: Cluster, name: string): Promise<PodStatus> {
  return eventually(
    async () => {
      const { stdout, stderr } = await on.kubectl(['get', 'pod', name, '-o', 'json']);
      if (stdout === '') throw new Error(stderr);
      const { status } = JSON.parse(stdout) as { status: PodStatus };
      if (status.phase !== 'Running') throw new Error(JSON.stringify(status));
      return status;
    },
    { what: `pod ${name} to run` },
  );
}

async function runPod(on: Cluster, name: string, container?: object, spec?: object): Promise<PodStatus> {
  await on.apply([podOf(name, container, spec)]);
  return untilRunning(on, name);
}

/** What a command in a pod prints. */
async function inPod(on: Cluster, name: string, ...command: readonly string[]): Promise<string> {
  const { stdout, stderr, code } = await on.kubectl(['exec', name, '--', ...command]);
  expect(code, stderr).toBe(0);
  return stdout;
}

/** Nothing listens at its address, and it is not needed. */
const unreachableWebhook = {
  apiVersion: 'admissionregistration.k8s.io/v1',
  kind: 'MutatingWebhookConfiguration',
  metadata: { name: 'unreachable' },
  webhooks: [
    {
      name: 'unreachable.gatehouse.test',
      clientConfig: { url: 'https://127.0.0.1:1/' },
      rules: [{ apiGroups: [''], apiVersions: ['v1'], operations: ['CREATE'], resources: ['configmaps'] }],
      failurePolicy: 'Ignore',
      sideEffects: 'None',
      admissionReviewVersions: ['v1'],
    },
  ],
};

let cluster: Cluster;

beforeAll(async () => {
  cluster = await startCluster();
  await cluster.load(image);
});

afterAll(() => cluster[Symbol.asyncDispose]());

describe('a cluster', () => {
  it('runs a pod from an image that was loaded, with an address of its own', async () => {
    const { podIP } = await runPod(cluster, 'plain');
    expect(podIP).toMatch(/^198\.18\.\d+\.\d+$/);
  });

  it('runs a pod that names the image by its digest, as after a pull', async () => {
    const byDigest = `gatehouse.test/busybox@${image.digest}`;
    const { containerStatuses } = await runPod(cluster, 'pinned', { image: byDigest });
    expect(containerStatuses[0]?.imageID).toBe(byDigest);
    expect(await namesOfImages(cluster.containerdSocket)).toContain(byDigest);
  });

  it('gives pods the names of Services', async () => {
    const answer = await inPod(cluster, 'plain', 'nslookup', 'kubernetes.default.svc.cluster.local');
    expect(answer).toContain('Name:\tkubernetes.default.svc.cluster.local');
  });

  it('brings pods and the host to a pod through its Service', async () => {
    const served = { command: ['httpd', '-f', '-p', '8080', '-h', '/etc'] };
    await cluster.apply([
      {
        apiVersion: 'v1',
        kind: 'Service',
        metadata: { name: 'web' },
        spec: { selector: { app: 'web' }, ports: [{ port: 80, targetPort: 8080 }] },
      },
    ]);
    await runPod(cluster, 'web', served);
    const address = (await kubectl('get service web -o jsonpath={.spec.clusterIP}')).stdout;
    const answer = async (): Promise<string> => (await fetch(`http://${address}/hostname`)).text();
    expect(await eventually(answer, { what: 'the Service to answer the host' })).toBe('web\n');
    expect(await inPod(cluster, 'plain', 'wget', '-qO-', 'http://web/hostname')).toBe('web\n');
    // Also to itself, which a bridge without the kernel's help for it does not do.
    expect(await inPod(cluster, 'web', 'wget', '-qO-', 'http://web.default/hostname')).toBe('web\n');
  });

  it('brings pods to what a test serves on the host', async () => {
    await writeFile(path.join(folder, 'epss.csv'), 'cve,epss\n');
    await using feeds = await startFeedServer(folder, { host: cluster.hostAddress, port: 0 });
    expect(await inPod(cluster, 'plain', 'wget', '-qO-', `${feeds.url}epss.csv`)).toBe('cve,epss\n');
  });

  it('keeps what pods say', async () => {
    await runPod(cluster, 'speaker', { command: ['sh', '-c', 'echo so be it; sleep infinity'] });
    const said = async (): Promise<void> => expect((await kubectl('logs speaker')).stdout).toBe('so be it\n');
    await eventually(said, { what: 'the log of the pod' });
  });

  it('mounts an image as a volume', async () => {
    const volume = { name: 'data', image: { reference: image.name, pullPolicy: 'Never' } };
    const mount = { volumeMounts: [{ name: 'data', mountPath: '/data' }] };
    await runPod(cluster, 'volume', mount, { volumes: [volume] });
    expect(await inPod(cluster, 'volume', 'ls', '/data')).toBe('bin\n');
  });

  it('gives a claim a volume, also to a pod that is not root', async () => {
    const claim = { accessModes: ['ReadWriteOnce'], resources: { requests: { storage: '1Gi' } } };
    const metadata = { name: 'data' };
    await cluster.apply([{ apiVersion: 'v1', kind: 'PersistentVolumeClaim', metadata, spec: claim }]);
    await runPod(
      cluster,
      'writer',
      { volumeMounts: [{ name: 'data', mountPath: '/data' }] },
      {
        securityContext: { runAsUser: 999, fsGroup: 999 },
        volumes: [{ name: 'data', persistentVolumeClaim: { claimName: 'data' } }],
      },
    );
    await inPod(cluster, 'writer', 'touch', '/data/written');
  });

  it('shows a pod that mounts the folders of containerd the roots of containers that start later', async () => {
    const mount = { name: 'run', mountPath: '/host/run', mountPropagation: 'HostToContainer' };
    const volume = { name: 'run', hostPath: { path: '/run/containerd', type: 'Directory' } };
    await runPod(cluster, 'agent', { volumeMounts: [mount] }, { volumes: [volume] });
    const { containerStatuses } = await runPod(cluster, 'later');
    const id = containerStatuses[0]?.containerID.replace('containerd://', '');
    const root = `/host/run/io.containerd.runtime.v2.task/k8s.io/${id}/rootfs`;
    expect(await inPod(cluster, 'agent', 'ls', root)).toContain('bin\n');
  });

  it('applies Pod Security, and lets a user do what RBAC grants and no more', async () => {
    await cluster.apply([
      {
        apiVersion: 'v1',
        kind: 'Namespace',
        metadata: { name: 'strict', labels: { 'pod-security.kubernetes.io/enforce': 'restricted' } },
      },
    ]);
    const privileged = JSON.stringify(podOf('privileged'));
    const refused = await kubectl('apply -n strict -f -', privileged);
    expect(refused).toMatchObject({ code: 1, stderr: expect.stringContaining('violates PodSecurity') });

    const reader = await cluster.kubeconfigFor({ user: 'reader', groups: ['readers'] });
    await kubectl('create clusterrolebinding readers --clusterrole=view --group=readers');
    expect((await kubectl(`--kubeconfig ${reader} auth can-i list pods`)).stdout).toBe('yes\n');
    expect((await kubectl(`--kubeconfig ${reader} auth can-i create pods`)).stdout).toBe('no\n');
  });

  it('notes in the audit log when a webhook fails open', async () => {
    await cluster.apply([unreachableWebhook]);
    await eventually(
      async () => {
        await kubectl(`create configmap asked-${Date.now()}`);
        const requests = (await readFile(cluster.auditLog, 'utf8')).split('\n');
        const failedOpen = requests.filter((line) => line.includes('"failed-open.mutation.webhook.'));
        expect(failedOpen).not.toHaveLength(0);
      },
      { what: 'the annotation in the audit log' },
    );
    await kubectl('delete mutatingwebhookconfiguration unreachable');
  });

  it('keeps pods running while containerd is away, and starts new ones when it is back', async () => {
    const { containerStatuses } = await untilRunning(cluster, 'plain');
    await cluster.stop('containerd');
    expect((await cluster.ctr(['version'])).code).not.toBe(0);
    await cluster.start('containerd');
    await runPod(cluster, 'after');
    expect((await untilRunning(cluster, 'plain')).containerStatuses).toEqual(containerStatuses);
  });

  it('answers again after its API server was away', async () => {
    await cluster.stop('apiserver');
    expect((await kubectl('get nodes')).code).not.toBe(0);
    await cluster.start('apiserver');
    expect((await kubectl('get nodes')).stdout).toContain(cluster.node);
  });
});

describe('beside another cluster', () => {
  it('a second one with an older containerd keeps to itself, and leaves nothing behind', async () => {
    const second = await startCluster({ containerd: '1.6', name: NAME });
    const look = await lookAfter(NAME);
    await second.load(image);
    const here = await runPod(cluster, 'twin');
    const there = await runPod(second, 'twin');
    expect(here.podIP).not.toBe(there.podIP);
    expect((await second.kubectl(['get', 'pods', '-o', 'name'])).stdout).toBe('pod/twin\n');
    expect((await second.kubectl(['get', 'nodes', '-o', 'wide'])).stdout).toContain('containerd://1.6');
    expect(await look()).toContain('processes');

    await second[Symbol.asyncDispose]();
    expect(await look()).toEqual([]);
  });

  it('one whose harness is killed ends with it, and the next in its place clears up', async () => {
    const program = `
      const { startCluster } = await import(${JSON.stringify(import.meta.resolve('../harness/cluster.ts'))});
      await startCluster({ name: '${NAME}' });
      process.stdout.write('it is up');`;
    const harness = spawn(process.execPath, ['--eval', program], { stdio: ['ignore', 'pipe', 'inherit'] });
    await once(harness.stdout, 'data');
    const look = await lookAfter(NAME);
    harness.kill('SIGKILL');
    await eventually(async () => expect(await look()).not.toContain('processes'), {
      what: 'the cluster to end',
    });

    const { ip, kube } = await need('ip', 'kube');
    const { slot, holder } = await createNamespaces(ip, kube, false);
    await removeCluster(ip, slot, () => holder.kill());
    expect(await look()).toEqual([]);
  });
});

describe('a cluster whose containerd drops compressed layers', () => {
  it('runs images that are then on the node without them', async () => {
    await using dropping = await startCluster({ discardUnpackedLayers: true });
    await dropping.load(image);
    await runPod(dropping, 'plain');
    const blobs = async (): Promise<string> => (await dropping.ctr(['content', 'list', '--quiet'])).stdout;
    const { layers } = JSON.parse(
      await readFile(path.join(image.folder, 'blobs', ...image.digest.split(':')), 'utf8'),
    );
    const dropped = async (): Promise<void> => expect(await blobs()).not.toContain(layers[0].digest);
    await eventually(dropped, { what: 'containerd to collect its garbage' });
    expect(await blobs()).toContain(image.id);
  });
});

describe('the command line', () => {
  const cli = path.join(import.meta.dirname, '../harness/cluster-cli.ts');
  const command = (words: string): Promise<Result> =>
    run([process.execPath, cli, ...words.split(' '), '--name', NAME]);

  it('starts a cluster that stays, loads an image into it, and takes it down without a trace', async () => {
    const up = await command('up');
    expect(up).toMatchObject({ code: 0, stdout: expect.stringContaining(`Cluster ${NAME} runs`) });
    const look = await lookAfter(NAME);
    expect((await command('status')).stdout).toMatch(new RegExp(`^${NAME} .* Ready `, 'm'));
    expect((await command(`load ${image.folder}`)).code).toBe(0);
    const kubeconfig = (await command('kubeconfig')).stdout.trim();
    expect(await readFile(kubeconfig, 'utf8')).toContain(`"current-context": "${NAME}"`);

    expect((await command('down')).code).toBe(0);
    expect(await look()).toEqual([]);
  });

  it('says what to do when there is no such cluster or command', async () => {
    expect(await command('down')).toMatchObject({
      code: 1,
      stderr: expect.stringContaining('no cluster named'),
    });
    expect(await command('upp')).toMatchObject({
      code: 2,
      stderr: expect.stringContaining('no command upp'),
    });
  });
});

/** Gives a look at what there is of a running cluster on this machine; others that take its place later do not count. */
async function lookAfter(name: string): Promise<() => Promise<readonly string[]>> {
  const record = await findCluster(name);
  if (record === undefined) throw new Error(`no cluster ${name} runs`);
  const { folder: files, cgroup } = slotOf(record.index);
  const { device } = networkOf(record.index);
  const namespace = await readlink(`/proc/${record.pid}/ns/pid`);
  const groups = (await hierarchies()).map((hierarchy) => path.join(hierarchy, cgroup));
  const identities: Readonly<Record<string, () => Promise<unknown>>> = {
    'a folder': () => readFile(path.join(files, 'cluster.json'), 'utf8'),
    'a network device': () => readFile(path.join('/sys/class/net', device, 'ifindex'), 'utf8'),
    processes: async () => (await processNamespaces()).includes(namespace),
    'a mount': async () => (await readFile('/proc/self/mountinfo', 'utf8')).includes(`${files}/`),
    ...Object.fromEntries(groups.map((group) => [group, async () => (await stat(group)).ino])),
  };
  const looks = Object.entries(identities).map(([what, identify]) => ({ what, identify }));
  const before = await Promise.all(looks.map(({ identify }) => identify().catch(() => undefined)));
  return async () => {
    const now = await Promise.all(looks.map(({ identify }) => identify().catch(() => undefined)));
    return looks.map(({ what }) => what).filter((_, at) => now[at] && now[at] === before[at]);
  };
}

/** The namespace that each process of the machine is in. */
async function processNamespaces(): Promise<readonly string[]> {
  const pids = (await readdir('/proc')).filter((name) => /^\d+$/.test(name));
  return Promise.all(pids.map((pid) => readlink(`/proc/${pid}/ns/pid`).catch(() => '')));
}
