import { readFile } from 'node:fs/promises';
import { request } from 'node:https';
import { text } from 'node:stream/consumers';
import type { KeyPair } from './pki.ts';

/** The Kubernetes API as the harness needs it to see how far a cluster is: whoever tests uses kubectl or a client. */
export interface Api {
  /** The body of the answer; throws where the status is not 200. */
  get(path: string): Promise<string>;
}

/** An answer that takes longer than this is asked for again. */
const REQUEST_TIMEOUT_MS = 5_000;

export async function openApi(address: string, authority: string, pair: KeyPair): Promise<Api> {
  const [ca, cert, key] = await Promise.all(
    [authority, pair.certificate, pair.key].map((pem) => readFile(pem)),
  );
  const get = async (path: string): Promise<string> => {
    const { promise, resolve, reject } = Promise.withResolvers<string>();
    const signal = AbortSignal.timeout(REQUEST_TIMEOUT_MS);
    // No agent: a connection that outlives an API server would fail the first request to the next.
    request(new URL(path, address), { ca, cert, key, agent: false, signal }, (response) => {
      text(response).then((body) => {
        if (response.statusCode === 200) resolve(body);
        else reject(new Error(`${path} answered ${response.statusCode}: ${body}`));
      }, reject);
    })
      .on('error', reject)
      .end();
    return promise;
  };
  return { get };
}
