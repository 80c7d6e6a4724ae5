import { readFile } from 'node:fs/promises';
import { request } from 'node:https';
import type { JSONWebKeySet } from 'jose';
import type { ClusterIssuer } from './service-accounts.ts';

/** Where the kubelet puts what a pod needs to speak to its own API server. */
const ACCOUNT_FOLDER = '/var/run/secrets/kubernetes.io/serviceaccount';
const TIMEOUT_MS = 10_000;
/** Discovery documents have a few hundred bytes, key sets a few thousand. */
const MAX_DOCUMENT_BYTES = 1024 * 1024;

/**
 * Discovers the issuer of the cluster that this pod runs in. It takes no permission but the one that every service
 * account has by the cluster role system:service-account-issuer-discovery.
 */
export const discoverOwnCluster: ClusterIssuer['discover'] = async () => {
  const { issuer } = (await fetchJson('/.well-known/openid-configuration')) as { issuer: string };
  return { issuer, keys: (await fetchJson('/openid/v1/jwks')) as JSONWebKeySet };
};

async function fetchJson(path: string): Promise<unknown> {
  const [ca, token] = await Promise.all([
    readFile(`${ACCOUNT_FOLDER}/ca.crt`),
    readFile(`${ACCOUNT_FOLDER}/token`, 'utf8'),
  ]);
  return new Promise((resolve, reject) => {
    const headers = { authorization: `Bearer ${token.trim()}`, accept: '*/*' };
    const sent = request(
      { host: 'kubernetes.default.svc', path, ca, headers, timeout: TIMEOUT_MS },
      (response) => {
        const chunks: Buffer[] = [];
        let size = 0;
        response.on('data', (chunk: Buffer) => {
          size += chunk.length;
          if (size > MAX_DOCUMENT_BYTES)
            response.destroy(new Error(`${path} is larger than ${MAX_DOCUMENT_BYTES} bytes`));
          chunks.push(chunk);
        });
        response.on('error', reject);
        response.on('end', () => {
          if (response.statusCode !== 200) {
            reject(new Error(`the API server answered ${response.statusCode} for ${path}`));
            return;
          }
          try {
            resolve(JSON.parse(Buffer.concat(chunks).toString('utf8')));
          } catch (error) {
            reject(error);
          }
        });
      },
    );
    sent.on('timeout', () => sent.destroy(new Error(`the API server did not answer for ${path}`)));
    sent.on('error', reject);
    sent.end();
  });
}
