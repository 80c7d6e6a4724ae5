import path from 'node:path';
import { busyboxImage } from './base-images.ts';
import { type ClusterAccess, environmentOf, placeOf } from './cluster-access.ts';
import { dnsObjects, volumeObjects } from './cluster-objects.ts';
import type { ClusterRecord } from './cluster-record.ts';
import { containerdSpec, PAUSE_IMAGE, type RuntimeOptions } from './containerd.ts';
import { apiServerSpec, controllerManagerSpec, etcdSpec } from './control-plane-servers.ts';
import type { Credentials } from './credentials.ts';
import { namesOfImages } from './cri.ts';
import type { Network } from './network.ts';
import { dnsSpec, kubeletSpec, proxySpec, schedulerSpec } from './node-servers.ts';
import { Servers } from './servers.ts';
import { slotOf } from './slots.ts';
import { eventually } from './wait.ts';

/** What the servers of a cluster are started with. */
export interface ClusterSetup {
  readonly record: ClusterRecord;
  readonly access: ClusterAccess;
  readonly network: Network;
  readonly credentials: Credentials;
  readonly runtime: RuntimeOptions;
  /** Paths of programs; of `cni`, the folder. */
  readonly tools: Readonly<Record<'etcd' | 'dns' | 'runc' | 'cni', string>>;
}

/** As kubeadm has it: the name under which pods reach the issuer of their tokens. */
export const ISSUER_NAME = 'kubernetes.default.svc.cluster.local';

/** A node is ready 2 s after its kubelet started; on a machine under load it takes several times that. */
const NODE_TIMEOUT_MS = 60_000;

/** Starts all servers, side by side where one does not need the other, and waits until the node takes pods. */
export async function startServers(setup: ClusterSetup): Promise<Servers> {
  const { access, credentials, network, record, tools } = setup;
  const { folder, kube } = record;
  const servers = new Servers(placeOf(record), folder, environmentOf(record));
  await all([startApi(setup, servers), startRuntime(setup, servers)]);
  const { node, cgroup } = slotOf(record.index);
  const setupOfNode = { folder, kube, node, cgroup, network, credentials };
  const specs = [
    controllerManagerSpec(kube, credentials),
    schedulerSpec(setupOfNode),
    kubeletSpec(setupOfNode),
    proxySpec(setupOfNode),
    dnsSpec(setupOfNode, tools.dns),
  ];
  await all(specs.map(async (spec) => servers.add(await spec)));
  await eventually(async () => checkNode(await credentials.admin.get(`/api/v1/nodes/${access.node}`)), {
    what: 'the node to take pods',
    timeout: NODE_TIMEOUT_MS,
  });
  return servers;
}

async function startApi(setup: ClusterSetup, servers: Servers): Promise<void> {
  const { access, credentials, network, record, tools } = setup;
  await servers.add(etcdSpec(tools.etcd, record.folder));
  await servers.add(
    await apiServerSpec({
      kube: record.kube,
      folder: record.folder,
      credentials,
      issuer: `https://${ISSUER_NAME}`,
      serviceNetwork: network.services,
      flags: { 'advertise-address': network.node, 'secure-port': '6443' },
    }),
  );
  await access.apply([...dnsObjects(network), ...(await volumeObjects(record.folder))]);
}

async function startRuntime(setup: ClusterSetup, servers: Servers): Promise<void> {
  const { access, network, record, runtime, tools } = setup;
  const { folder, containerd } = record;
  await servers.add(
    await containerdSpec({
      folder,
      programs: containerd,
      runc: tools.runc,
      cniPlugins: tools.cni,
      pods: network.pods,
      runtime,
      ready: () => namesOfImages(access.containerdSocket),
    }),
  );
  const pause = { name: PAUSE_IMAGE, config: { Cmd: ['sleep', 'infinity'] } };
  await access.load(await busyboxImage(path.join(folder, 'pause'), pause));
}

interface Node {
  readonly spec: { readonly taints?: readonly { readonly key: string }[] };
  readonly status: {
    readonly conditions: readonly {
      readonly type: string;
      readonly status: string;
      readonly message: string;
    }[];
  };
}

/** Throws while the scheduler would not put a pod on the node. */
function checkNode(json: string): void {
  const { spec, status } = JSON.parse(json) as Node;
  const ready = status.conditions.find(({ type }) => type === 'Ready');
  if (ready?.status !== 'True') throw new Error(`the node is not ready: ${ready?.message}`);
  if (spec.taints?.length) throw new Error(`the node has the taint ${spec.taints[0]?.key}`);
}

/** Waits for all to end, then throws what the first of those that failed threw: nothing goes on behind the error. */
async function all(promises: readonly Promise<void>[]): Promise<void> {
  const outcomes = await Promise.allSettled(promises);
  for (const outcome of outcomes) if (outcome.status === 'rejected') throw outcome.reason;
}
