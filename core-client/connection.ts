import type { DescService } from '@bufbuild/protobuf';
import { retry } from '@gatehouse/lib/retry.ts';
import { type CallSettings, clientOf, type ServiceClient } from '@gatehouse/proto/grpc.ts';
import { Client, credentials, Metadata, type ServiceError, status } from '@grpc/grpc-js';
import type { Renewed } from './credentials.ts';
import { CoreClientError } from './errors.ts';

/** Where the core is, and what proves it to the caller and the caller to it. */
export interface CoreEndpoint {
  /** HOST:PORT. The certificate of the core must name the host. */
  readonly address: string;
  /** PEM of the authorities that may have issued the core's certificate. */
  readonly authority: Renewed;
  /** The bearer token of the caller. */
  readonly token: Renewed;
}

/** Within a cluster an answer takes milliseconds; a core that is busy for this long is as good as away. */
const CALL_TIMEOUT_MS = 15_000;
/** Three tries span a core replica that restarts behind its Service; longer outages are the caller's business. */
const MAX_ATTEMPTS = 3;
const BACKOFF = { first: 200, most: 2_000 };

const channelOptions = {
  // A core that vanished without a word (node lost, connection dropped by a firewall) is noticed within 40 s.
  'grpc.keepalive_time_ms': 30_000,
  'grpc.keepalive_timeout_ms': 10_000,
  'grpc.initial_reconnect_backoff_ms': 500,
  'grpc.max_reconnect_backoff_ms': 10_000,
};

/** A connection to the core that follows renewed tokens and authorities. */
export class Connection implements Disposable {
  readonly #endpoint: CoreEndpoint;
  #channel: { client: Client; authority: string } | undefined;

  constructor(endpoint: CoreEndpoint) {
    this.#endpoint = endpoint;
  }

  /** Calls a unary or client-streaming method, again if the core was away for a moment. Throws CoreClientError. */
  async call<S extends DescService, T>(
    service: S,
    invoke: (client: ServiceClient<S>, settings: CallSettings) => Promise<T>,
    signal?: AbortSignal,
  ): Promise<T> {
    return retry(
      async () => {
        try {
          const { client, metadata } = await this.open(service);
          return await invoke(client, { timeout: CALL_TIMEOUT_MS, metadata, ...(signal && { signal }) });
        } catch (error) {
          throw toCoreClientError(error, this.#endpoint.address);
        }
      },
      {
        backoff: BACKOFF,
        ...(signal && { signal }),
        shouldRetry: (error, attempt) =>
          attempt + 1 < MAX_ATTEMPTS && error instanceof CoreClientError && error.code === 'core_unavailable',
      },
    );
  }

  /** A client with the credentials of the moment, for streams. */
  async open<S extends DescService>(service: S): Promise<{ client: ServiceClient<S>; metadata: Metadata }> {
    const [authority, token] = await Promise.all([this.#endpoint.authority(), this.#endpoint.token()]);
    if (this.#channel?.authority !== authority) {
      this.#channel?.client.close();
      const secure = credentials.createSsl(Buffer.from(authority));
      this.#channel = { client: new Client(this.#endpoint.address, secure, channelOptions), authority };
    }
    const metadata = new Metadata();
    metadata.set('authorization', `Bearer ${token}`);
    return { client: clientOf(service, this.#channel.client), metadata };
  }

  [Symbol.dispose](): void {
    this.#channel?.client.close();
    this.#channel = undefined;
  }
}

const errorCodes: Partial<Record<status, CoreClientError['code']>> = {
  [status.UNAVAILABLE]: 'core_unavailable',
  [status.DEADLINE_EXCEEDED]: 'core_unavailable',
  [status.CANCELLED]: 'core_unavailable',
  [status.RESOURCE_EXHAUSTED]: 'core_unavailable',
  [status.INTERNAL]: 'core_failed',
  [status.UNAUTHENTICATED]: 'core_refused',
  [status.PERMISSION_DENIED]: 'core_refused',
};

/** What went wrong with a call, in terms of what the caller can do about it. */
export function toCoreClientError(error: unknown, address: string): CoreClientError {
  if (error instanceof CoreClientError) return error;
  const { code } = error as Partial<ServiceError>;
  const known = (code === undefined ? undefined : errorCodes[code]) ?? 'core_rejected';
  const answer = known === 'core_unavailable' ? 'does not answer' : 'says no';
  return new CoreClientError(known, `the core at ${address} ${answer}`, { cause: error });
}
