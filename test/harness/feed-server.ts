import { createHash } from 'node:crypto';
import { once } from 'node:events';
import { readFile } from 'node:fs/promises';
import { createServer, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import path from 'node:path';
import type { Address } from '@gatehouse/lib/options.ts';

/** One answer that the server gave, so that a test can see what was fetched, and what was not fetched again. */
interface Served {
  readonly path: string;
  readonly status: number;
}

export interface FeedServer extends AsyncDisposable {
  /** Ends in a slash: file names are relative to it. */
  readonly url: string;
  readonly served: readonly Served[];
}

/**
 * Serves the files of `folder` as they are at the moment of each request, with an ETag of their content; a request that
 * names the same tag gets 304.
 */
export async function startFeedServer(
  folder: string,
  listen: Address = { host: '127.0.0.1', port: 0 },
): Promise<FeedServer> {
  const root = path.resolve(folder);
  const served: Served[] = [];
  const server = createServer((request, response) => {
    const { pathname } = new URL(request.url ?? '/', 'http://feeds');
    response.once('finish', () => served.push({ path: pathname, status: response.statusCode }));
    answer(root, pathname, request.headers['if-none-match'], response).catch(() =>
      response.writeHead(404).end(),
    );
  });
  server.listen(listen.port, listen.host);
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  return {
    url: `http://${listen.host}:${port}/`,
    served,
    async [Symbol.asyncDispose]() {
      server.closeAllConnections();
      await server[Symbol.asyncDispose]();
    },
  };
}

async function answer(
  root: string,
  pathname: string,
  known: string | undefined,
  response: ServerResponse,
): Promise<void> {
  const file = path.join(root, decodeURIComponent(pathname));
  if (!file.startsWith(root + path.sep)) throw new Error(`${pathname} leads out of the folder`);
  const content = await readFile(file);
  const tag = `"${createHash('sha256').update(content).digest('hex')}"`;
  response.setHeader('etag', tag);
  if (known === tag) response.writeHead(304).end();
  else response.writeHead(200, { 'content-length': content.length }).end(content);
}
