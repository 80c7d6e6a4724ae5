import { createPrivateKey, randomUUID, sign, X509Certificate } from 'node:crypto';
import { once } from 'node:events';
import { readFile } from 'node:fs/promises';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { createServer } from 'node:https';
import type { AddressInfo } from 'node:net';
import { text } from 'node:stream/consumers';
import type { Authority } from './pki.ts';

/** What was asked of the server of tokens. */
export interface TokenRequest {
  readonly method: string;
  /** Who asked, or undefined for nobody in particular. */
  readonly user: string | undefined;
  readonly service: string;
  readonly scope: string;
}

export interface TokenServer extends AsyncDisposable {
  /** What a registry names as its realm. */
  readonly realm: string;
  readonly service: string;
  /** The authority of its tokens, and of its certificate, a PEM file. */
  readonly authority: string;
  readonly requests: readonly TokenRequest[];
}

export interface TokenServerOptions {
  readonly users: Readonly<Record<string, string>>;
  /** Identity tokens, with the user that each stands for. */
  readonly identities?: Readonly<Record<string, string>>;
  /** The seconds that tokens are said to last. */
  readonly lasting?: number;
}

const ISSUER = 'gatehouse.test';
const SERVICE = 'registry.test';

/**
 * Gives tokens as the token authentication specification of Distribution has it, by GET with name and password and by
 * POST with an identity token. Users get what they ask for, everybody else the repositories below `public/` to read.
 */
export async function startTokenServer(
  authority: Authority,
  options: TokenServerOptions,
): Promise<TokenServer> {
  const pair = await authority.issue('token-server', { user: 'token-server', names: ['IP:127.0.0.1'] });
  const [key, cert] = await Promise.all([readFile(pair.key, 'utf8'), readFile(pair.certificate, 'utf8')]);
  const requests: TokenRequest[] = [];
  const server = createServer({ key, cert }, (request, response) => {
    answer(request, response).catch(() => response.writeHead(500).end());
  });
  const answer = async (request: IncomingMessage, response: ServerResponse): Promise<void> => {
    const isPost = request.method === 'POST';
    const { searchParams } = new URL(request.url ?? '/', 'https://tokens');
    const asked = isPost ? new URLSearchParams(await text(request)) : searchParams;
    const user = isPost
      ? options.identities?.[asked.get('refresh_token') ?? '']
      : userOf(request, options.users);
    const [service, scope] = [asked.get('service') ?? '', asked.get('scope') ?? ''];
    requests.push({ method: request.method ?? '', user: user ?? undefined, service, scope });
    if (user === null || (isPost && user === undefined)) {
      response.writeHead(401).end('{"errors":[{"code":"UNAUTHORIZED"}]}');
      return;
    }
    const token = tokenFor(key, cert, { user, scope });
    const lasting = { expires_in: options.lasting ?? 300 };
    response.setHeader('content-type', 'application/json');
    response.end(JSON.stringify(isPost ? { access_token: token, ...lasting } : { token, ...lasting }));
  };
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return {
    realm: `https://127.0.0.1:${(server.address() as AddressInfo).port}/token`,
    service: SERVICE,
    authority: authority.certificate,
    requests,
    async [Symbol.asyncDispose]() {
      server.closeAllConnections();
      await server[Symbol.asyncDispose]();
    },
  };
}

/** Undefined for those who say nothing of themselves, null for those whose word is wrong. */
function userOf(request: IncomingMessage, users: TokenServerOptions['users']): string | undefined | null {
  const header = request.headers.authorization;
  if (header === undefined) return undefined;
  const said = Buffer.from(header.replace(/^Basic /, ''), 'base64').toString();
  return Object.keys(users).find((user) => said === `${user}:${users[user]}`) ?? null;
}

/** A JWT that names its certificate, which the registry holds against the authority that it was given. */
function tokenFor(
  key: string,
  cert: string,
  { user, scope }: { readonly user: string | undefined; readonly scope: string },
): string {
  const [type = '', name = '', actions = ''] = scope.split(':');
  const allowed = actions
    .split(',')
    .filter((action) => user !== undefined || (name.startsWith('public/') && action === 'pull'));
  const now = Math.floor(Date.now() / 1000);
  const certificate = new X509Certificate(cert).raw.toString('base64');
  const part = (content: object): string => Buffer.from(JSON.stringify(content)).toString('base64url');
  const head = part({ typ: 'JWT', alg: 'ES256', x5c: [certificate] });
  const claims = part({
    iss: ISSUER,
    sub: user ?? '',
    aud: SERVICE,
    exp: now + 300,
    nbf: now - 10,
    iat: now,
    jti: randomUUID(),
    access: [{ type, name, actions: allowed }],
  });
  const signature = sign('sha256', Buffer.from(`${head}.${claims}`), {
    key: createPrivateKey(key),
    dsaEncoding: 'ieee-p1363',
  });
  return `${head}.${claims}.${signature.toString('base64url')}`;
}
