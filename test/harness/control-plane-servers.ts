import { once } from 'node:events';
import { writeFile } from 'node:fs/promises';
import { get } from 'node:http';
import path from 'node:path';
import { text } from 'node:stream/consumers';
import type { ComponentSpec } from './component.ts';
import type { Credentials } from './credentials.ts';
import { asFlags, type Flags } from './flags.ts';

/**
 * Sockets in the cluster's folder, where the servers start: no port is taken, and no other user gets in. Etcd 3.4 asks
 * for HOST:PORT, and takes the whole of it for the name of the file.
 */
const ETCD_SOCKET = 'etcd-client:0';
const ETCD_CLIENT = `unix://${ETCD_SOCKET}`;
const ETCD_PEER = 'unix://etcd-peer:0';

export function etcdSpec(etcd: string, folder: string): ComponentSpec {
  const flags = {
    'data-dir': 'etcd',
    'listen-client-urls': ETCD_CLIENT,
    'advertise-client-urls': ETCD_CLIENT,
    'listen-peer-urls': ETCD_PEER,
    'initial-advertise-peer-urls': ETCD_PEER,
    'initial-cluster': `default=${ETCD_PEER}`,
  };
  // What it keeps is thrown away with the cluster, so no write has to wait for the disk.
  return {
    name: 'etcd',
    argv: [etcd, ...asFlags(flags), '--unsafe-no-fsync'],
    ready: () => checkHealth(path.join(folder, ETCD_SOCKET)),
  };
}

async function checkHealth(socketPath: string): Promise<void> {
  const [response] = await once(get({ socketPath, path: '/health' }), 'response');
  const said = await text(response);
  if (!said.includes('"true"')) throw new Error(`etcd says ${said}`);
}

/** Where the API server notes each request, with who asked and what webhooks said of it. */
export const auditLogOf = (folder: string): string => path.join(folder, 'logs', 'audit.log');

/** One line for each answered request, without bodies; the level that holds annotations such as `failed-open`. */
const AUDIT_POLICY = {
  apiVersion: 'audit.k8s.io/v1',
  kind: 'Policy',
  omitStages: ['RequestReceived'],
  rules: [{ level: 'Metadata' }],
};

export async function apiServerSpec(options: {
  readonly kube: string;
  readonly folder: string;
  readonly credentials: Credentials;
  readonly issuer: string;
  readonly serviceNetwork: string;
  /** Where it listens and how it is reached. */
  readonly flags: Flags;
}): Promise<ComponentSpec> {
  const { kube, folder, credentials } = options;
  const auditPolicy = path.join(folder, 'audit-policy.json');
  await writeFile(auditPolicy, JSON.stringify(AUDIT_POLICY));
  const flags = {
    'etcd-servers': ETCD_CLIENT,
    'tls-cert-file': credentials.apiServer.certificate,
    'tls-private-key-file': credentials.apiServer.key,
    'client-ca-file': credentials.authority.certificate,
    'kubelet-client-certificate': credentials.kubeletClient.certificate,
    'kubelet-client-key': credentials.kubeletClient.key,
    'kubelet-preferred-address-types': 'InternalIP',
    'service-account-issuer': options.issuer,
    'service-account-signing-key-file': credentials.serviceAccountKey,
    'service-account-key-file': credentials.serviceAccountKey,
    'service-cluster-ip-range': options.serviceNetwork,
    'authorization-mode': 'Node,RBAC',
    'enable-admission-plugins': 'NodeRestriction',
    'allow-privileged': 'true',
    // Off by default until 1.35; the kubelet has a gate of its own.
    'feature-gates': 'ImageVolume=true',
    'audit-policy-file': auditPolicy,
    'audit-log-path': auditLogOf(folder),
    ...options.flags,
  };
  return {
    name: 'apiserver',
    argv: [kube, 'apiserver', ...asFlags(flags)],
    ready: () => credentials.admin.get('/readyz'),
  };
}

export async function controllerManagerSpec(kube: string, credentials: Credentials): Promise<ComponentSpec> {
  const { authority, serviceAccountKey } = credentials;
  const flags = {
    kubeconfig: await credentials.kubeconfigFor({ user: 'system:kube-controller-manager' }),
    'service-account-private-key-file': serviceAccountKey,
    'use-service-account-credentials': 'true',
    'root-ca-file': authority.certificate,
    'cluster-signing-cert-file': authority.certificate,
    'cluster-signing-key-file': authority.key,
    // At the default of 20 requests a second, the controllers take 5 s to start, each asking for its token.
    'kube-api-qps': '500',
    'kube-api-burst': '1000',
    'leader-elect': 'false',
    'secure-port': '0',
  };
  return {
    name: 'controller-manager',
    argv: [kube, 'controller-manager', ...asFlags(flags)],
    // No pod can be made before its service account is there.
    ready: () => credentials.admin.get('/api/v1/namespaces/default/serviceaccounts/default'),
  };
}
