import { generateKeyPair } from 'node:crypto';
import { mkdir, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { promisify } from 'node:util';
import { type Api, openApi } from './api.ts';
import { writeKubeconfig } from './kubeconfig.ts';
import { type Authority, createAuthority, type KeyPair, type Subject } from './pki.ts';

/** Who is who in a cluster: made anew for each, thrown away with it. */
export interface Credentials {
  readonly authority: Authority;
  /** What the API server proves itself with, to clients and to kubelets. */
  readonly apiServer: KeyPair;
  readonly kubeletClient: KeyPair;
  /** The private key that signs service-account tokens, a PEM file. */
  readonly serviceAccountKey: string;
  /** The administrator's. */
  readonly kubeconfig: string;
  readonly admin: Api;
  /** Writes a kubeconfig for any user, and gives its path. */
  kubeconfigFor(subject: Pick<Subject, 'user' | 'groups'>): Promise<string>;
}

/** The group that the API server's own roles allow everything. */
const ADMINISTRATORS = 'system:masters';

/**
 * Makes all certificates below `folder`. `address` is the URL of the API server, `names` what its certificate says
 * besides, in the words of openssl.
 */
export async function createCredentials(options: {
  readonly folder: string;
  readonly cluster: string;
  readonly address: string;
  readonly names: readonly string[];
}): Promise<Credentials> {
  const { cluster, address, names } = options;
  const folder = path.join(options.folder, 'pki');
  await mkdir(folder, { recursive: true });
  const authority = await createAuthority(folder);
  const serviceAccountKey = path.join(folder, 'service-accounts.key');
  const { privateKey } = await promisify(generateKeyPair)('rsa', { modulusLength: 2048 });
  await writeFile(serviceAccountKey, privateKey.export({ type: 'pkcs8', format: 'pem' }), { mode: 0o600 });

  const writeFor = async (file: string, { user, groups = [] }: Subject): Promise<KeyPair> => {
    const pair = await authority.issue(`user-${encodeURIComponent(user)}`, { user, groups });
    const server = { name: cluster, server: address, authority: authority.certificate };
    await writeKubeconfig(file, server, { name: user, pair });
    return pair;
  };
  const kubeconfig = path.join(options.folder, 'kubeconfig');
  const admin = await writeFor(kubeconfig, { user: 'admin', groups: [ADMINISTRATORS] });
  return {
    authority,
    apiServer: await authority.issue('apiserver', { user: 'kube-apiserver', names }),
    kubeletClient: await authority.issue('kubelet-client', {
      user: 'kube-apiserver',
      groups: [ADMINISTRATORS],
    }),
    serviceAccountKey,
    kubeconfig,
    admin: await openApi(address, authority.certificate, admin),
    async kubeconfigFor(subject) {
      const file = path.join(folder, `${encodeURIComponent(subject.user)}.kubeconfig`);
      await writeFor(file, subject);
      return file;
    },
  };
}
