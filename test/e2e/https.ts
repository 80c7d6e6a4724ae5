import { type Agent, request } from 'node:https';
import { text } from 'node:stream/consumers';

/** What came back. */
export interface Reply {
  readonly status: number;
  readonly body: string;
}

export interface Call {
  readonly method?: string;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: string | Buffer;
  /** PEM of the authority to trust. */
  readonly ca: string;
  /** The name that the certificate must bear, where it is not that of the URL. */
  readonly servername?: string;
  readonly agent?: Agent;
}

const TIMEOUT_MS = 10_000;

/** An HTTPS request with an authority of its own, which fetch does not offer. */
export async function call(url: string, { body, ...options }: Call): Promise<Reply> {
  const { promise, resolve, reject } = Promise.withResolvers<Reply>();
  const sent = request(url, { timeout: TIMEOUT_MS, ...options }, (response) => {
    text(response).then((body) => resolve({ status: response.statusCode ?? 0, body }), reject);
  });
  sent.on('timeout', () => sent.destroy(new Error(`no answer from ${url} within ${TIMEOUT_MS} ms`)));
  sent.on('error', reject);
  sent.end(body);
  return promise;
}
