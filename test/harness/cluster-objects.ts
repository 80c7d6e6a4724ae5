import { mkdir } from 'node:fs/promises';
import path from 'node:path';
import type { Network } from './network.ts';

/** The Service at which pods ask for names; the server behind it is a process of the node, not a pod. */
export function dnsObjects(network: Network): readonly object[] {
  const name = 'kube-dns';
  const ports = (['UDP', 'TCP'] as const).map((protocol) => ({
    name: protocol.toLowerCase(),
    protocol,
    port: 53,
  }));
  return [
    {
      apiVersion: 'v1',
      kind: 'Service',
      metadata: { name, namespace: 'kube-system' },
      spec: { clusterIP: network.dns, ports },
    },
    {
      apiVersion: 'discovery.k8s.io/v1',
      kind: 'EndpointSlice',
      metadata: { name, namespace: 'kube-system', labels: { 'kubernetes.io/service-name': name } },
      addressType: 'IPv4',
      endpoints: [{ addresses: [network.node], conditions: { ready: true } }],
      ports,
    },
  ];
}

/** More claims than any of our overlays makes. */
const VOLUMES = 4;

/**
 * Volumes for claims that name no storage class, in the place of a provisioner: folders of the node, which pods of any
 * user may write to by their fsGroup.
 */
export async function volumeObjects(folder: string): Promise<readonly object[]> {
  const names = Array.from({ length: VOLUMES }, (_, index) => `volume-${index}`);
  for (const name of names) await mkdir(path.join(folder, 'lib', 'volumes', name), { recursive: true });
  return names.map((name) => ({
    apiVersion: 'v1',
    kind: 'PersistentVolume',
    metadata: { name },
    spec: {
      capacity: { storage: '100Gi' },
      accessModes: ['ReadWriteOnce', 'ReadWriteMany'],
      local: { path: `/var/lib/volumes/${name}` },
      nodeAffinity: { required: { nodeSelectorTerms: [{ matchExpressions: [ANY_NODE] }] } },
    },
  }));
}

/** The affinity that Kubernetes asks of a local volume; the cluster has one node. */
const ANY_NODE = { key: 'kubernetes.io/hostname', operator: 'Exists' };
