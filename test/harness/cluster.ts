import { addAbortListener } from 'node:events';
import { accessCluster, type ClusterAccess } from './cluster-access.ts';
import { type ClusterRecord, findCluster, writeRecord } from './cluster-record.ts';
import { ISSUER_NAME, startServers } from './cluster-servers.ts';
import type { Component } from './component.ts';
import { findContainerd, importFlags, type RuntimeOptions } from './containerd.ts';
import { type Credentials, createCredentials } from './credentials.ts';
import { HarnessError } from './errors.ts';
import { checkMachine } from './machine.ts';
import { createNamespaces, removeCluster } from './namespaces.ts';
import { connect, networkOf } from './network.ts';
import { need } from './tools.ts';

export interface ClusterOptions extends RuntimeOptions {
  /** What the command line and the contexts of kubeconfigs call it. */
  readonly name?: string;
  /** It stays when this process ends, until it is taken down. */
  readonly outlive?: boolean;
  /** Ends the start. */
  readonly signal?: AbortSignal;
}

export type ServerName =
  | 'etcd'
  | 'apiserver'
  | 'controller-manager'
  | 'scheduler'
  | 'containerd'
  | 'kubelet'
  | 'proxy'
  | 'dns';

export interface Cluster extends ClusterAccess, AsyncDisposable {
  readonly kubeconfigFor: Credentials['kubeconfigFor'];
  /** Ends a server at once, as a crash would. */
  stop(server: ServerName): Promise<void>;
  /** Starts a stopped server again, and waits until it serves. */
  start(server: ServerName): Promise<void>;
}

/** What the API server's certificate is good for, beside its addresses: what pods call it. */
const API_NAMES = ['kubernetes', 'kubernetes.default', 'kubernetes.default.svc', ISSUER_NAME];

/**
 * Starts Kubernetes with one node in namespaces of its own: all its servers, real containers, pod network and DNS. When
 * this resolves, the node takes pods. Needs root on Linux.
 */
export async function startCluster(options: ClusterOptions = {}): Promise<Cluster> {
  await checkMachine();
  await checkName(options.name);
  const containerd = await findContainerd(options);
  const tools = await need('etcd', 'kube', 'dns', 'runc', 'cni', 'openssl', 'ip', 'iptables');
  options.signal?.throwIfAborted();
  await using started = new AsyncDisposableStack();
  const { slot, holder } = await createNamespaces(tools.ip, tools.kube, options.outlive ?? false);
  started.defer(() => removeCluster(tools.ip, slot, () => holder.kill()));
  const { index, folder } = slot;
  const record: ClusterRecord = {
    name: options.name ?? `cluster-${index}`,
    index,
    folder,
    pid: await holder.pid(),
    kube: tools.kube,
    containerd,
    importFlags: importFlags(options),
  };
  const cluster = await unlessAborted(holder, options.signal, () => setUp(record, options, tools));
  const running = started.move();
  return { ...cluster, [Symbol.asyncDispose]: () => running.disposeAsync() };
}

/** Aborted, it ends process 1 of the cluster, and with it all that `work` waits for. */
async function unlessAborted<T>(
  holder: Component,
  signal: AbortSignal | undefined,
  work: () => Promise<T>,
): Promise<T> {
  if (signal === undefined) return work();
  using _ending = addAbortListener(signal, () => void holder.kill());
  try {
    return await work();
  } catch (error) {
    signal.throwIfAborted();
    throw error;
  }
}

/** Makes a cluster of namespaces in which nothing is yet. */
async function setUp(
  record: ClusterRecord,
  runtime: RuntimeOptions,
  tools: Readonly<Record<'etcd' | 'dns' | 'runc' | 'cni' | 'ip', string>>,
): Promise<Omit<Cluster, typeof Symbol.asyncDispose>> {
  const network = networkOf(record.index);
  await writeRecord(record);
  await connect(tools.ip, network, record.pid);
  const access = accessCluster(record);
  const credentials = await createCredentials({
    folder: record.folder,
    cluster: record.name,
    address: access.address,
    names: [
      ...[network.node, network.api].map((ip) => `IP:${ip}`),
      ...API_NAMES.map((name) => `DNS:${name}`),
    ],
  });
  const servers = await startServers({ record, access, network, credentials, runtime, tools });
  return {
    ...access,
    kubeconfigFor: credentials.kubeconfigFor,
    stop: (server) => servers.stop(server),
    start: (server) => servers.start(server),
  };
}

async function checkName(name: string | undefined): Promise<void> {
  if (name === undefined || (await findCluster(name)) === undefined) return;
  throw new HarnessError('cluster_taken', `a cluster named ${name} runs already`, {
    hint: `Take it down with \`npm run cluster -- down --name ${name}\`, or give the new one another name.`,
  });
}
