import { readText } from './answer-body.ts';
import { parseChallenges } from './challenge.ts';
import type { CredentialSource, Credentials } from './credentials.ts';
import { RegistryError } from './errors.ts';
import type { Patience } from './patience.ts';
import type { Endpoint } from './settings.ts';
import type { Transport } from './transport.ts';

/** Who is asked for what, and with what. */
export interface Asked {
  readonly endpoint: Endpoint;
  readonly repository: string;
  readonly signal?: AbortSignal | undefined;
}

interface Token {
  readonly header: string;
  /** In milliseconds since 1970. */
  readonly until: number;
}

/** A token that is said to last no time lasts this long (distribution, spec/auth/token). */
const DEFAULT_TOKEN_SECONDS = 60;
/** None is used in its last moments: the request takes time, and clocks differ. */
const MARGIN_MS = 10_000;
/** Whatever a server says; a longer one is asked for anew, which costs one request. */
const MAX_TOKEN_MS = 3_600_000;
/** An answer is a token of a few KiB. */
const MAX_ANSWER_BYTES = 256 * 1024;
/** Repositories that one client reads from in a while; then it begins anew. */
const MAX_TOKENS = 1000;

/** Knows how to be let in: by name and password, or by tokens of the server that a registry points to. */
export class Authorizer {
  readonly #transport: Transport;
  readonly #credentials: CredentialSource;
  readonly #patience: Patience;
  readonly #tokens = new Map<string, Token>();

  constructor(transport: Transport, credentials: CredentialSource, patience: Patience) {
    this.#transport = transport;
    this.#credentials = credentials;
    this.#patience = patience;
  }

  /** The header that let us in the last time, while it is good. */
  known(asked: Asked): string | undefined {
    const token = this.#tokens.get(keyOf(asked));
    return token && token.until > Date.now() ? token.header : undefined;
  }

  /** What worked is used again. */
  keep(asked: Asked, token: Token): void {
    if (this.#tokens.size >= MAX_TOKENS) this.#tokens.clear();
    this.#tokens.set(keyOf(asked), token);
  }

  /** What may be answered to the challenge of a registry, one after the other, until it is content. */
  async *answers(asked: Asked, challenge: string): AsyncGenerator<Token, void, undefined> {
    this.#tokens.delete(keyOf(asked));
    const { endpoint, repository, signal } = asked;
    const challenges = parseChallenges(challenge);
    const bearer = challenges.find(({ scheme }) => scheme === 'bearer');
    const known = await this.#credentials(endpoint.host, repository, signal);
    for (const credentials of known.length === 0 ? [undefined] : known) {
      if (credentials?.kind === 'bearer') {
        yield { header: `Bearer ${credentials.token}`, until: Number.POSITIVE_INFINITY };
      } else if (bearer) {
        const token = await this.#fetchToken(asked, bearer.parameters, credentials);
        if (token) yield token;
      } else if (credentials?.kind === 'password' && challenges.some(({ scheme }) => scheme === 'basic')) {
        yield { header: basic(credentials), until: Number.POSITIVE_INFINITY };
      }
    }
  }

  /**
   * Asks the registry's server of tokens; undefined if it does not take the credentials. The scope is ours and not what
   * the registry would like: reading the one repository.
   */
  async #fetchToken(
    { endpoint, repository, signal }: Asked,
    parameters: ReadonlyMap<string, string>,
    credentials: Exclude<Credentials, { kind: 'bearer' }> | undefined,
  ): Promise<Token | undefined> {
    const realm = realmOf(endpoint, parameters);
    this.#transport.check(realm);
    const query = new URLSearchParams({ scope: `repository:${repository}:pull` });
    const service = parameters.get('service');
    if (service !== undefined) query.set('service', service);
    const isIdentity = credentials?.kind === 'identity';
    if (isIdentity) {
      for (const [name, value] of [
        ['grant_type', 'refresh_token'],
        ['client_id', 'gatehouse'],
        ['refresh_token', credentials.token],
      ] as const)
        query.set(name, value);
    } else {
      for (const [name, value] of query) realm.searchParams.set(name, value);
    }
    const authorization = credentials?.kind === 'password' ? { authorization: basic(credentials) } : {};
    const { status, response } = await this.#transport.follow(realm, {
      headers: { accept: 'application/json', ...authorization },
      ...(isIdentity && { form: query }),
      signal,
    });
    const text = await readText(response, realm.host, {
      most: MAX_ANSWER_BYTES,
      stall: this.#patience.stall,
    });
    if ([400, 401, 403].includes(status)) return undefined;
    if (status === 429 || status >= 500) {
      throw new RegistryError(
        'registry_unavailable',
        `${realm.host} answers ${status} when asked for a token`,
      );
    }
    return parseToken(status === 200 ? text : '', realm.host);
  }
}

function keyOf({ endpoint, repository }: Asked): string {
  return `${endpoint.host} ${repository}`;
}

function basic({ username, password }: { username: string; password: string }): string {
  return `Basic ${Buffer.from(`${username}:${password}`).toString('base64')}`;
}

function realmOf({ host }: Endpoint, parameters: ReadonlyMap<string, string>): URL {
  try {
    return new URL(parameters.get('realm') ?? '');
  } catch {
    throw new RegistryError('registry_answer_invalid', `${host} does not say where to get a token`);
  }
}

function parseToken(text: string, host: string): Token {
  const answer = readObject(text);
  const token = answer.token ?? answer.access_token;
  // Anything else would not go into a header.
  if (typeof token !== 'string' || !/^[\x21-\x7e]+$/.test(token)) {
    throw new RegistryError('registry_answer_invalid', `${host} gives no token where it should`);
  }
  const seconds = Number(answer.expires_in);
  const lasts = (seconds > 0 ? seconds : DEFAULT_TOKEN_SECONDS) * 1000;
  return { header: `Bearer ${token}`, until: Date.now() + Math.min(lasts, MAX_TOKEN_MS) - MARGIN_MS };
}

/** Nothing, where that is no JSON; without the reason, which would quote the text. */
function readObject(text: string): Readonly<Record<string, unknown>> {
  try {
    return (JSON.parse(text) as Record<string, unknown> | null) ?? {};
  } catch {
    return {};
  }
}
