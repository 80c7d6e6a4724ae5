import type { IncomingMessage } from 'node:http';
import type { Readable } from 'node:stream';
import { setTimeout as delay } from 'node:timers/promises';
import { backoffDelay } from '@gatehouse/lib/retry.ts';
import { readBytes } from './answer-body.ts';
import { type Asked, Authorizer } from './authorizer.ts';
import { type Blob, type BlobSource, blobStream } from './blob-stream.ts';
import type { CredentialSource } from './credentials.ts';
import { ACCEPTED_TYPES, MAX_MANIFEST_BYTES, type RegistryDocument, toDocument } from './document.ts';
import { RegistryError, withMirrors } from './errors.ts';
import { defaultPatience, type Patience } from './patience.ts';
import { DOCKER_HUB, formatReference, type Reference } from './reference.ts';
import { refusal } from './refusal.ts';
import type { Endpoint, RegistrySettings } from './settings.ts';
import { Transport } from './transport.ts';

/** Where Docker Hub answers. */
const HUB_HOST = 'registry-1.docker.io';
/** A mirror that is away is not asked again for so long, or each layer of an image would wait for it. */
const AWAY_MS = 60_000;

/** What names a repository. */
export type Repository = Pick<Reference, 'host' | 'repository'>;

/**
 * Reads from registries by the OCI distribution protocol. Whatever it gives has the digest that it was asked for. It
 * keeps tokens and connections, so one is made for many images.
 */
export class RegistryClient implements Disposable {
  readonly #settings: RegistrySettings;
  readonly #patience: Patience;
  readonly #transport: Transport;
  readonly #authorizer: Authorizer;
  /** When mirrors are asked again. */
  readonly #away = new Map<string, number>();

  constructor(settings: RegistrySettings, credentials: CredentialSource, patience: Partial<Patience> = {}) {
    this.#settings = settings;
    this.#patience = { ...defaultPatience, ...patience };
    this.#transport = new Transport(settings, this.#patience);
    this.#authorizer = new Authorizer(this.#transport, credentials, this.#patience);
  }

  /** The manifest, the index or what else stands behind a tag or a digest. Throws RegistryError. */
  async document(reference: Reference, signal?: AbortSignal): Promise<RegistryDocument> {
    const wanted = reference.digest ?? reference.tag ?? 'latest';
    const failures: string[] = [];
    for (const endpoint of this.#endpointsOf(reference.host)) {
      try {
        return await this.#read(endpoint, reference, { wanted, signal });
      } catch (error) {
        signal?.throwIfAborted();
        if (!(error instanceof RegistryError)) throw error;
        if (endpoint.isLast) throw withMirrors(error, failures);
        failures.push(this.#noteFailure(endpoint, error));
      }
    }
    throw new Error('a registry has no endpoint');
  }

  /** The content of a blob. It is an error of the stream if it turns out to be another one, or cannot be had. */
  blob(repository: Repository, blob: Blob): Readable {
    const path = (endpoint: Endpoint): string =>
      `${repositoryPath(endpoint, repository)}/blobs/${blob.digest}`;
    const sources = this.#endpointsOf(repository.host).map((endpoint): BlobSource => {
      const asked = { endpoint, repository: endpoint.prefix + repository.repository };
      return {
        host: endpoint.host,
        open: (headers, signal) =>
          this.#get({ ...asked, signal }, path(endpoint), { headers, tries: this.#triesOf(endpoint) }),
        failed: (error) => this.#noteFailure(endpoint, error),
      };
    });
    return blobStream(sources, blob, this.#patience);
  }

  [Symbol.dispose](): void {
    this.#transport[Symbol.dispose]();
  }

  async #read(
    endpoint: Place,
    reference: Reference,
    { wanted, signal }: { wanted: string; signal: AbortSignal | undefined },
  ): Promise<RegistryDocument> {
    const asked = { endpoint, repository: endpoint.prefix + reference.repository, signal };
    const path = `${repositoryPath(endpoint, reference)}/manifests/${wanted}`;
    const { stall } = this.#patience;
    // A body that breaks off is asked for once more as a whole: it is small.
    return this.#patiently(this.#triesOf(endpoint), signal, async () => {
      const response = await this.#get(asked, path, { headers: { accept: ACCEPTED_TYPES }, tries: 1 });
      const bytes = await readBytes(response, endpoint.host, { most: MAX_MANIFEST_BYTES, stall });
      return toDocument(bytes, response.headers, {
        name: `${formatReference(reference)} at ${endpoint.host}`,
        digest: reference.digest,
      });
    });
  }

  /** A good answer: 200, or 206 to whoever asks for a part. */
  #get(
    asked: Asked,
    path: string,
    { headers, tries }: { headers: Readonly<Record<string, string>>; tries: number },
  ): Promise<IncomingMessage> {
    return this.#patiently(tries, asked.signal, async () => {
      const { status, response } = await this.#authorized(asked, path, headers);
      if (status === 200 || status === 206) return response;
      throw await refusal(response, { host: asked.endpoint.host, path, stall: this.#patience.stall });
    });
  }

  /** Asks, and proves who we are if that is wanted. */
  async #authorized(
    asked: Asked,
    path: string,
    headers: Readonly<Record<string, string>>,
  ): Promise<{ status: number; response: IncomingMessage }> {
    const host = asked.endpoint.host === DOCKER_HUB ? HUB_HOST : asked.endpoint.host;
    const { signal } = asked;
    const known = this.#authorizer.known(asked);
    const ask = (authorization: string | undefined) => {
      const all = authorization === undefined ? headers : { ...headers, authorization };
      return this.#transport.ask(host, path, { headers: all, signal });
    };
    let answer = await ask(known);
    // Only the registry itself may say what it wants, not the place where it keeps its blobs.
    if (answer.status !== 401 || answer.isElsewhere) return answer;
    for await (const token of this.#authorizer.answers(asked, challengeOf(answer.response))) {
      answer.response.destroy();
      answer = await ask(token.header);
      if (answer.status === 401 || answer.status === 403) continue;
      this.#authorizer.keep(asked, token);
      break;
    }
    return answer;
  }

  /** Tries again what may succeed later; as long as the registry wants, if that is not too long. */
  async #patiently<T>(tries: number, signal: AbortSignal | undefined, work: () => Promise<T>): Promise<T> {
    const { backoff, longestWait } = this.#patience;
    for (let attempt = 0; ; attempt++) {
      try {
        return await work();
      } catch (error) {
        signal?.throwIfAborted();
        const isLast = attempt + 1 >= tries;
        if (isLast || !(error instanceof RegistryError && error.isTransient)) throw error;
        const wait = error.retryAfter ?? backoffDelay(backoff, attempt);
        if (wait > longestWait) throw error;
        await delay(wait, undefined, signal ? { signal } : {});
      }
    }
  }

  /** The mirrors of a registry that are not away, and then the registry itself. */
  #endpointsOf(host: string): readonly Place[] {
    const mirrors = this.#settings.mirrors.get(host) ?? [];
    const there = mirrors.filter((mirror) => (this.#away.get(mirror.host) ?? 0) <= Date.now());
    return [...there.map((mirror) => ({ ...mirror, isLast: false })), { host, prefix: '', isLast: true }];
  }

  /** After a mirror comes somebody else, who can be asked at once. */
  #triesOf(endpoint: Place): number {
    return endpoint.isLast ? this.#patience.tries : 1;
  }

  #noteFailure(endpoint: Place, error: RegistryError): string {
    const isFaulty = error.isTransient || error.code === 'content_mismatch';
    if (isFaulty && !endpoint.isLast) this.#away.set(endpoint.host, Date.now() + AWAY_MS);
    return error.message;
  }
}

interface Place extends Endpoint {
  readonly isLast: boolean;
}

function repositoryPath({ prefix }: Endpoint, { repository }: Repository): string {
  return `/v2/${prefix}${repository}`;
}

function challengeOf(response: IncomingMessage): string {
  return response.headers['www-authenticate'] ?? '';
}
