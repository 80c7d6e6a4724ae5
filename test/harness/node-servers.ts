import { writeFile } from 'node:fs/promises';
import path from 'node:path';
import type { ComponentSpec } from './component.ts';
import type { Credentials } from './credentials.ts';
import { asFlags } from './flags.ts';
import type { Network } from './network.ts';

/** What the servers of a node have in common. */
export interface NodeSetup {
  readonly folder: string;
  readonly kube: string;
  /** The name of the node. */
  readonly node: string;
  readonly cgroup: string;
  readonly network: Network;
  readonly credentials: Credentials;
}

const CLUSTER_DOMAIN = 'cluster.local';

/** Throws until the server's own account of itself is good. */
const healthy = (url: string) => async (): Promise<void> => {
  const response = await fetch(url);
  if (!response.ok) throw new Error(`${url} answered ${response.status}: ${await response.text()}`);
};

export async function schedulerSpec({ kube, credentials }: NodeSetup): Promise<ComponentSpec> {
  const flags = {
    kubeconfig: await credentials.kubeconfigFor({ user: 'system:kube-scheduler' }),
    'leader-elect': 'false',
    'secure-port': '0',
  };
  return { name: 'scheduler', argv: [kube, 'scheduler', ...asFlags(flags)] };
}

export async function kubeletSpec(setup: NodeSetup): Promise<ComponentSpec> {
  const { folder, kube, node, network, credentials } = setup;
  const config = {
    apiVersion: 'kubelet.config.k8s.io/v1beta1',
    kind: 'KubeletConfiguration',
    authentication: {
      anonymous: { enabled: false },
      webhook: { enabled: true },
      x509: { clientCAFile: credentials.authority.certificate },
    },
    authorization: { mode: 'Webhook' },
    healthzBindAddress: network.node,
    containerRuntimeEndpoint: 'unix:///run/containerd/containerd.sock',
    clusterDomain: CLUSTER_DOMAIN,
    clusterDNS: [network.dns],
    featureGates: { ImageVolume: true },
    cgroupDriver: 'cgroupfs',
    cgroupRoot: `/${setup.cgroup}`,
    failCgroupV1: false,
    failSwapOn: false,
    // A negative score is refused to a root without CAP_SYS_RESOURCE.
    oomScoreAdj: 0,
    // The disk is shared with whatever else the machine does, so how full it is says nothing about the cluster.
    localStorageCapacityIsolation: false,
    imageGCHighThresholdPercent: 100,
    evictionHard: { 'memory.available': '1Mi', 'nodefs.available': '0%', 'imagefs.available': '0%' },
    volumePluginDir: '/var/lib/kubelet/volume-plugins',
  };
  const file = path.join(folder, 'kubelet.json');
  await writeFile(file, JSON.stringify(config));
  const flags = {
    config: file,
    kubeconfig: await credentials.kubeconfigFor({ user: `system:node:${node}`, groups: ['system:nodes'] }),
    'hostname-override': node,
    'node-ip': network.node,
  };
  return {
    name: 'kubelet',
    argv: [kube, 'kubelet', ...asFlags(flags)],
    ready: healthy(`http://${network.node}:10248/healthz`),
  };
}

export async function proxySpec({
  folder,
  kube,
  node,
  network,
  credentials,
}: NodeSetup): Promise<ComponentSpec> {
  const config = {
    apiVersion: 'kubeproxy.config.k8s.io/v1alpha1',
    kind: 'KubeProxyConfiguration',
    clientConnection: { kubeconfig: await credentials.kubeconfigFor({ user: 'system:kube-proxy' }) },
    hostnameOverride: node,
    mode: 'iptables',
    clusterCIDR: network.pods,
    healthzBindAddress: `${network.node}:10256`,
    // Limits of connections belong to the machine, not to the namespaces of a cluster.
    conntrack: { maxPerCore: 0, min: 0, tcpEstablishedTimeout: '0s', tcpCloseWaitTimeout: '0s' },
    iptables: { minSyncPeriod: '100ms' },
  };
  const file = path.join(folder, 'proxy.json');
  await writeFile(file, JSON.stringify(config));
  return {
    name: 'proxy',
    argv: [kube, 'proxy', '--config', file],
    ready: healthy(`http://${network.node}:10256/healthz`),
  };
}

export async function dnsSpec(
  { folder, network, credentials }: NodeSetup,
  dns: string,
): Promise<ComponentSpec> {
  const kubeconfig = await credentials.kubeconfigFor({ user: 'cluster-dns', groups: ['system:masters'] });
  const file = path.join(folder, 'Corefile');
  await writeFile(
    file,
    `.:53 {
      errors
      ready ${network.node}:8181
      kubernetes ${CLUSTER_DOMAIN} in-addr.arpa {
        kubeconfig ${kubeconfig}
      }
      cache 5
    }
    `,
  );
  return { name: 'dns', argv: [dns, '-conf', file], ready: healthy(`http://${network.node}:8181/ready`) };
}
