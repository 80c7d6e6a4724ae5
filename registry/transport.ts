import {
  Agent as HttpAgent,
  type IncomingMessage,
  type RequestOptions,
  request as requestByHttp,
} from 'node:http';
import { Agent as HttpsAgent, request as requestByHttps } from 'node:https';
import { createSecureContext, getCACertificates } from 'node:tls';
import { RegistryError } from './errors.ts';
import type { Patience } from './patience.ts';
import type { RegistrySettings } from './settings.ts';

export interface Sending {
  readonly headers: Readonly<Record<string, string>>;
  /** Sent by POST; otherwise it is a GET. */
  readonly form?: URLSearchParams;
  readonly signal?: AbortSignal | undefined;
}

export interface Answer {
  readonly status: number;
  readonly response: IncomingMessage;
  /** Whether another server than the one asked gave it. */
  readonly isElsewhere: boolean;
}

/** Registries point to where blobs lie, and that may point further once or twice. */
const MAX_REDIRECTS = 5;
const REDIRECTS = new Set([301, 302, 303, 307, 308]);
/** What OpenSSL and Node say when the other side does not speak TLS. */
const NO_TLS = /^(EPROTO|ERR_SSL_|ECONNRESET)/;

/**
 * Sends requests by Node's own http: undici's fetch can end the process (see advisories/feeds/url-source.ts). It knows
 * who may be spoken to in plain, and keeps connections for the next request.
 */
export class Transport implements Disposable {
  readonly #settings: RegistrySettings;
  readonly #patience: Patience;
  readonly #plain = new HttpAgent({ keepAlive: true });
  readonly #secure: HttpsAgent;
  readonly #unproven = new HttpsAgent({ keepAlive: true, rejectUnauthorized: false });
  /** Insecure registries that were found to speak no TLS. */
  readonly #withoutTls = new Set<string>();

  constructor(settings: RegistrySettings, patience: Patience) {
    this.#settings = settings;
    this.#patience = patience;
    const { authority } = settings;
    const secureContext =
      authority === undefined
        ? {}
        : { secureContext: createSecureContext({ ca: [...getCACertificates('default'), authority] }) };
    this.#secure = new HttpsAgent({ keepAlive: true, ...secureContext });
  }

  /** Asks a registry for a path, and follows where it points. Throws RegistryError. */
  async ask(host: string, path: string, sending: Sending): Promise<Answer> {
    if (!this.#settings.insecure.has(host)) return this.follow(new URL(`https://${host}${path}`), sending);
    if (!this.#withoutTls.has(host)) {
      try {
        return await this.follow(new URL(`https://${host}${path}`), sending);
      } catch (error) {
        const { cause } = error as { cause?: { code?: unknown } };
        if (!NO_TLS.test(String(cause?.code))) throw error;
      }
    }
    const answer = await this.follow(new URL(`http://${host}${path}`), sending);
    this.#withoutTls.add(host);
    return answer;
  }

  /** The answer, from wherever the server points to; nobody but the server itself gets what authorizes. */
  async follow(from: URL, sending: Sending): Promise<Answer> {
    let place = from;
    for (let redirects = 0; redirects <= MAX_REDIRECTS; redirects++) {
      const { authorization, ...others } = sending.headers;
      const isElsewhere = place.origin !== from.origin;
      const headers = isElsewhere || authorization === undefined ? others : { ...others, authorization };
      const response = await this.#send(place, { ...sending, headers });
      const status = response.statusCode ?? 0;
      const { location } = response.headers;
      if (!REDIRECTS.has(status) || location === undefined) return { status, response, isElsewhere };
      response.destroy();
      if (sending.form) throw invalid(place, 'points elsewhere with what was posted to it');
      place = this.#next(place, location);
    }
    throw invalid(from, `points elsewhere more than ${MAX_REDIRECTS} times`);
  }

  /** Throws if an address may not be sent anything: plain http is for those alone that were named. */
  check(url: URL): void {
    if (url.username !== '' || url.password !== '') throw invalid(url, 'has credentials in its address');
    if (url.protocol === 'https:') return;
    if (url.protocol === 'http:' && this.#settings.insecure.has(url.host)) return;
    throw new RegistryError(
      'registry_denied',
      `nothing is sent to ${url.protocol}//${url.host}: it is not https`,
      {
        hint: `If that is meant to be, add ${url.host} to --insecure-registry.`,
      },
    );
  }

  [Symbol.dispose](): void {
    for (const agent of [this.#plain, this.#secure, this.#unproven]) agent.destroy();
  }

  #next(place: URL, location: string): URL {
    let next: URL;
    try {
      next = new URL(location, place);
    } catch {
      throw invalid(place, 'points to what is no address');
    }
    this.check(next);
    return next;
  }

  #send(url: URL, { headers, form, signal }: Sending): Promise<IncomingMessage> {
    const body = form?.toString();
    const isPlain = url.protocol === 'http:';
    const secure = this.#settings.insecure.has(url.host) ? this.#unproven : this.#secure;
    const options: RequestOptions = {
      agent: isPlain ? this.#plain : secure,
      method: body === undefined ? 'GET' : 'POST',
      headers: {
        'user-agent': 'gatehouse',
        ...headers,
        ...(body !== undefined && {
          'content-type': 'application/x-www-form-urlencoded',
          'content-length': Buffer.byteLength(body),
        }),
      },
      ...(signal && { signal }),
    };
    const { firstByte } = this.#patience;
    return new Promise((resolve, reject) => {
      const sent = (isPlain ? requestByHttp : requestByHttps)(url, options);
      const waiting = setTimeout(() => sent.destroy(new Error(`no answer for ${firstByte} ms`)), firstByte);
      sent.on('response', (response) => {
        clearTimeout(waiting);
        // Whoever reads it hears of its end; nobody may be reading yet, or any more.
        response.on('error', () => undefined);
        resolve(response);
      });
      sent.on('error', (cause) => {
        clearTimeout(waiting);
        reject(signal?.aborted ? signal.reason : unreachable(url, cause));
      });
      sent.end(body);
    });
  }
}

/** What OpenSSL calls the first bytes of plain http, taken for TLS. */
const PLAIN_ANSWER = /wrong[ _]version[ _]number|packet[ _]length[ _]too[ _]long/i;

function unreachable(url: URL, cause: Error): RegistryError {
  const code = 'code' in cause ? String(cause.code) : '';
  if (PLAIN_ANSWER.test(`${code} ${cause.message}`)) {
    return new RegistryError('registry_unreachable', `${url.host} speaks no TLS`, {
      cause,
      hint: `If that is meant to be, give --insecure-registry ${url.host}.`,
    });
  }
  const isProof = /CERT|SELF_SIGNED|UNABLE_TO|ALTNAME/.test(code);
  return new RegistryError('registry_unreachable', `cannot reach ${url.protocol}//${url.host}`, {
    cause,
    hint: isProof
      ? 'Give the authority of its certificate with --registry-ca.'
      : 'Check that the registry can be reached from here.',
  });
}

function invalid(url: URL, what: string): RegistryError {
  return new RegistryError('registry_answer_invalid', `${url.host} ${what}`);
}
