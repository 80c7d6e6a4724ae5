import { once } from 'node:events';
import { createServer, type IncomingMessage, request, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';

/** A request as the meddler saw it. */
export interface Seen {
  readonly path: string;
  readonly authorization: string | undefined;
  readonly range: string | undefined;
}

/** What is done to an answer instead of handing it on. */
export type Meddling =
  | {
      readonly status: number;
      readonly headers?: Readonly<Record<string, string>>;
      readonly body?: string | Buffer;
    }
  /** Breaks the connection after so many bytes of the body. */
  | { readonly cutAfter: number }
  /** Hands the request on without its wish for a part. */
  | { readonly withoutRange: true }
  /** Says nothing more after so many bytes of the body; the head alone is 0. */
  | { readonly hangAfter: number };

export interface Meddler extends AsyncDisposable {
  /** 127.0.0.1:PORT. */
  readonly host: string;
  readonly seen: readonly Seen[];
  /** From now on; it is told what came, and how often that path came before. */
  rule: (seen: Seen, before: number) => Meddling | undefined;
}

/** A proxy in front of a registry (or of nothing) that does to its answers what bad lines and bad registries do. */
export async function startMeddler(upstream = ''): Promise<Meddler> {
  const seen: Seen[] = [];
  const server = createServer((incoming, response) => {
    const { authorization, range } = incoming.headers;
    const one = { path: incoming.url ?? '', authorization, range };
    const before = seen.filter(({ path }) => path === one.path).length;
    seen.push(one);
    const meddling = meddler.rule(one, before);
    if (meddling && 'status' in meddling) {
      response.writeHead(meddling.status, meddling.headers).end(meddling.body ?? '');
    } else {
      handOn(upstream, incoming, response, meddling);
    }
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const meddler: Meddler = {
    host: `127.0.0.1:${(server.address() as AddressInfo).port}`,
    seen,
    rule: () => undefined,
    async [Symbol.asyncDispose]() {
      server.closeAllConnections();
      await server[Symbol.asyncDispose]();
    },
  };
  return meddler;
}

function handOn(
  upstream: string,
  incoming: IncomingMessage,
  response: ServerResponse,
  meddling: Exclude<Meddling, { status: number }> | undefined,
): void {
  const { range, ...others } = incoming.headers;
  const headers = meddling && 'withoutRange' in meddling ? others : incoming.headers;
  request(`http://${upstream}${incoming.url}`, { headers, agent: false }, (answer) => {
    response.writeHead(answer.statusCode ?? 0, answer.headers);
    const cut = meddling && 'cutAfter' in meddling ? meddling.cutAfter : undefined;
    const hang = meddling && 'hangAfter' in meddling ? meddling.hangAfter : undefined;
    const most = cut ?? hang;
    let sent = 0;
    answer.on('data', (chunk: Buffer) => {
      const part = most === undefined ? chunk : chunk.subarray(0, most - sent);
      sent += part.length;
      const isOver = most !== undefined && sent >= most;
      response.write(part, () => {
        if (isOver && cut !== undefined) response.destroy();
      });
      if (isOver) answer.destroy();
    });
    answer.on('end', () => response.end());
  })
    .on('error', () => response.destroy())
    .end();
}
