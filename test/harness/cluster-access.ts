import path from 'node:path';
import type { ClusterRecord } from './cluster-record.ts';
import type { Place } from './component.ts';
import { registriesOf } from './containerd.ts';
import { auditLogOf } from './control-plane-servers.ts';
import { loadImage } from './image-loading.ts';
import type { Image } from './images.ts';
import { createKubectl, type Kubectl } from './kubectl.ts';
import { apiAddress, networkOf } from './network.ts';
import { type Result, type RunOptions, run, runOk } from './process.ts';
import { slotOf } from './slots.ts';

/** A running cluster of one node, as its users see it. */
export interface ClusterAccess extends Kubectl {
  readonly name: string;
  /** The program that `kubectl` is a command of. */
  readonly kube: string;
  /** The name of its node. */
  readonly node: string;
  /** The URL of the API server. */
  readonly address: string;
  /** The administrator's, a file. */
  readonly kubeconfig: string;
  /** The certificate authority of the API server, a PEM file. */
  readonly authority: string;
  /** JSON Lines, one for each request. */
  readonly auditLog: string;
  /** Where the log of each component is, NAME.log. */
  readonly logs: string;
  /** The host as the cluster sees it: what a test serves at this address, pods and nodes reach. */
  readonly hostAddress: string;
  readonly nodeAddress: string;
  /** The root folder of the node as the host sees it. */
  readonly root: string;
  /** The socket of its containerd as the host sees it, for programs under test that run outside. */
  readonly containerdSocket: string;
  /** Where a test says how containerd reaches a registry, by a file HOST:PORT/hosts.toml. */
  readonly registries: string;
  /** Runs a command on the node. */
  exec(argv: readonly string[], options?: RunOptions): Promise<Result>;
  /** Runs containerd's own client in the namespace of Kubernetes. */
  ctr(args: readonly string[]): Promise<Result>;
  /**
   * Loads an image, or a file or folder of images (OCI layout or archive, Docker archive): pods can name it by tag and
   * by digest then, as if it had been pulled.
   */
  load(image: Image | string): Promise<void>;
}

/** Where the programs for root are; the path of the caller may lack them. */
const SYSTEM_PATH = '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin';

/** Within the namespaces that process `pid` holds, in the folder that it started in. */
export function placeOf({ pid }: Pick<ClusterRecord, 'pid'>): Place {
  const namespaces = ['--mount', '--uts', '--ipc', '--net', '--pid', '--wd'];
  return { prefix: ['nsenter', '--target', String(pid), ...namespaces, '--'], forks: true };
}

/** Commands on the node find the programs of its containerd, and those for root. */
export function environmentOf({
  containerd,
}: Pick<ClusterRecord, 'containerd'>): Readonly<Record<string, string>> {
  return { PATH: `${containerd}:${SYSTEM_PATH}` };
}

export function accessCluster(record: ClusterRecord): ClusterAccess {
  const { folder } = record;
  const network = networkOf(record.index);
  const kubeconfig = path.join(folder, 'kubeconfig');
  const root = `/proc/${record.pid}/root`;
  const onNode = (argv: readonly string[]): string[] => [...placeOf(record).prefix, ...argv];
  const env = environmentOf(record);
  const containerdSocket = path.join(root, 'run/containerd/containerd.sock');
  const store = {
    exec: (argv: readonly string[]) => runOk(onNode(argv), { env }),
    socket: containerdSocket,
    importFlags: record.importFlags,
  };
  return {
    ...createKubectl(record.kube, kubeconfig, folder),
    name: record.name,
    kube: record.kube,
    node: slotOf(record.index).node,
    address: apiAddress(network),
    hostAddress: network.host,
    nodeAddress: network.node,
    kubeconfig,
    root,
    containerdSocket,
    authority: path.join(folder, 'pki', 'ca.crt'),
    auditLog: auditLogOf(folder),
    logs: path.join(folder, 'logs'),
    registries: registriesOf(folder),
    exec: (argv, options = {}) => run(onNode(argv), { ...options, env: { ...env, ...options.env } }),
    ctr: (args) => run(onNode(['ctr', '--namespace', 'k8s.io', ...args]), { env }),
    load: (image) => loadImage(store, image),
  };
}
