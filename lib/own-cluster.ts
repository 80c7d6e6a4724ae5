import { readFile } from 'node:fs/promises';
import { request } from 'node:https';

/** How a pod speaks to the API server of its own cluster. */
export interface ApiAccess {
  /** Where the API server answers. */
  readonly server: string;
  /** Where the kubelet puts what a pod needs for it. */
  readonly accountFolder: string;
}

export const ownCluster: ApiAccess = {
  server: 'https://kubernetes.default.svc',
  accountFolder: '/var/run/secrets/kubernetes.io/serviceaccount',
};

const TIMEOUT_MS = 10_000;
/** Discovery documents have a few hundred bytes, key sets a few thousand; a Secret has 1 MiB, and a third more in base64. */
const MAX_DOCUMENT_BYTES = 2 * 1024 * 1024;

/**
 * Asks the API server for one document with the pod's own account. Kubernetes' client library would take 90 MB; this is
 * for those who ask for next to nothing. Throws a plain error where there is no answer in JSON.
 */
export async function askApiServer(
  path: string,
  access: ApiAccess = ownCluster,
): Promise<{ readonly status: number; readonly body: unknown }> {
  const [ca, token] = await Promise.all([
    readFile(`${access.accountFolder}/ca.crt`),
    readFile(`${access.accountFolder}/token`, 'utf8'),
  ]);
  return new Promise((resolve, reject) => {
    const headers = { authorization: `Bearer ${token.trim()}`, accept: '*/*' };
    const sent = request(
      new URL(path, access.server),
      { ca, headers, timeout: TIMEOUT_MS, agent: false },
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
          try {
            const body: unknown = JSON.parse(Buffer.concat(chunks).toString('utf8'));
            resolve({ status: response.statusCode ?? 0, body });
          } catch (cause) {
            reject(new Error(`the API server answered ${response.statusCode} for ${path}`, { cause }));
          }
        });
      },
    );
    sent.on('timeout', () => sent.destroy(new Error(`the API server did not answer for ${path}`)));
    sent.on('error', reject);
    sent.end();
  });
}
