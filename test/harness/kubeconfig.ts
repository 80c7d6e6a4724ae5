import { readFile, writeFile } from 'node:fs/promises';
import type { KeyPair } from './pki.ts';

/** Writes a kubeconfig (as JSON, which is YAML) that carries its certificates within itself, so that it can be copied away. */
export async function writeKubeconfig(
  file: string,
  cluster: { readonly name: string; readonly server: string; readonly authority: string },
  user: { readonly name: string; readonly pair: KeyPair },
): Promise<string> {
  const base64 = (pem: string): Promise<string> => readFile(pem, 'base64');
  const config = {
    apiVersion: 'v1',
    kind: 'Config',
    'current-context': cluster.name,
    clusters: [
      {
        name: cluster.name,
        cluster: { server: cluster.server, 'certificate-authority-data': await base64(cluster.authority) },
      },
    ],
    users: [
      {
        name: user.name,
        user: {
          'client-certificate-data': await base64(user.pair.certificate),
          'client-key-data': await base64(user.pair.key),
        },
      },
    ],
    contexts: [{ name: cluster.name, context: { cluster: cluster.name, user: user.name } }],
  };
  await writeFile(file, JSON.stringify(config, undefined, 2), { mode: 0o600 });
  return file;
}
