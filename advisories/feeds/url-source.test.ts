import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import { type AddressInfo, createServer as createTcpServer } from 'node:net';
import { buffer } from 'node:stream/consumers';
import { afterEach, describe, expect, it } from 'vitest';
import type { FeedSource } from './source.ts';
import { urlSource } from './url-source.ts';

let server: Server | undefined;

afterEach(() => {
  server?.closeAllConnections();
  server?.close();
});

/** A source on a server that answers every request in this way, and the requests that it got. */
async function sourceOn(
  answer: (request: IncomingMessage, response: ServerResponse) => void,
): Promise<{ source: FeedSource; requests: readonly IncomingMessage[] }> {
  const requests: IncomingMessage[] = [];
  const started = createServer((request, response) => {
    requests.push(request);
    answer(request, response);
  });
  server = started;
  await new Promise<void>((resolve) => started.listen(0, '127.0.0.1', resolve));
  const { port } = started.address() as AddressInfo;
  const patience = { stall: 200, whole: 1000 };
  return { source: urlSource(new URL(`http://127.0.0.1:${port}/feeds`), patience), requests };
}

async function contentOf(
  opening: ReturnType<FeedSource['open']>,
): Promise<{ content: string; fingerprint: string }> {
  const opened = await opening;
  if (typeof opened === 'string') throw new Error(`the feed is ${opened}`);
  await using file = opened;
  const content = await buffer(file.handle.createReadStream({ start: 0, autoClose: false }));
  return { content: content.toString(), fingerprint: file.fingerprint };
}

describe('a feed on a server', () => {
  it('is fetched from below the URL', async () => {
    const { source, requests } = await sourceOn((_, response) => response.end('records'));
    expect((await contentOf(source.open('npm/all.zip', undefined))).content).toBe('records');
    expect(requests.map(({ url }) => url)).toEqual(['/feeds/npm/all.zip']);
  });

  it.each([
    ['etag', '"abc"', 'if-none-match'],
    ['last-modified', 'Wed, 01 May 2024 10:00:00 GMT', 'if-modified-since'],
  ])('that gives an %s is asked for only if that has changed', async (header, value, condition) => {
    const { source, requests } = await sourceOn((request, response) => {
      response.setHeader(header, value);
      response.writeHead(request.headers[condition] === value ? 304 : 200).end();
    });
    const { fingerprint } = await contentOf(source.open('npm/all.zip', undefined));
    expect(await source.open('npm/all.zip', fingerprint)).toBe('unchanged');
    expect(requests.map(({ headers }) => headers[condition])).toEqual([undefined, value]);
  });

  it('is unchanged even if the server does not heed conditions', async () => {
    const { source } = await sourceOn((_, response) => response.setHeader('etag', '"abc"').end('records'));
    const { fingerprint } = await contentOf(source.open('npm/all.zip', undefined));
    expect(await source.open('npm/all.zip', fingerprint)).toBe('unchanged');
  });

  it('is told by its content if the server says nothing else of it', async () => {
    let content = 'records';
    const { source } = await sourceOn((_, response) => response.end(content));
    const { fingerprint } = await contentOf(source.open('npm/all.zip', undefined));
    expect(await source.open('npm/all.zip', fingerprint)).toBe('unchanged');
    content = 'other records';
    expect((await contentOf(source.open('npm/all.zip', fingerprint))).content).toBe('other records');
  });

  it('may be absent', async () => {
    const { source } = await sourceOn((_, response) => response.writeHead(404).end());
    expect(await source.open('npm/all.zip', undefined)).toBe('absent');
  });

  it.each<[string, (request: IncomingMessage, response: ServerResponse) => void, RegExp]>([
    ['answers with an error', (_, response) => response.writeHead(503).end(), /status 503/],
    ['never answers', () => undefined, /no data for 200 ms/],
    ['stalls in the middle', (_, response) => response.writeHead(200).write('rec'), /no data for 200 ms/],
    [
      'breaks off',
      (_, response) =>
        response.writeHead(200, { 'content-length': 99 }).write('rec', () => response.destroy()),
      /aborted|closed/,
    ],
    ['drips for ever', (_, response) => drip(response), /timeout/],
  ])('is out of reach if the server %s', async (_what, answer, cause) => {
    const { source } = await sourceOn(answer);
    const opening = source.open('npm/all.zip', undefined);
    await expect(opening).rejects.toMatchObject({
      code: 'feed_unreachable',
      message: expect.stringMatching(/\/feeds\/npm\/all\.zip$/),
      cause: { message: expect.stringMatching(cause) },
    });
  });

  it('is fetched from where the server points to, within reason', async () => {
    const { source } = await sourceOn(({ url = '' }, response) => {
      if (url === '/feeds/npm/all.zip') response.writeHead(302, { location: '/elsewhere' }).end();
      else if (url === '/elsewhere') response.end('records');
      else response.writeHead(307, { location: url }).end();
    });
    expect((await contentOf(source.open('npm/all.zip', undefined))).content).toBe('records');
    await expect(source.open('Go/all.zip', undefined)).rejects.toMatchObject({
      code: 'feed_unreachable',
      cause: expect.objectContaining({ message: expect.stringContaining('more than 5 times') }),
    });
  });

  it('is whole when a plain server says its end by closing the connection, before we have read it', async () => {
    // 64 MB is far more than sockets hold, so writing it to disk falls behind.
    const content = Buffer.alloc(64 * 1024 * 1024, 'records ');
    await using plain = createTcpServer((socket) => {
      socket.on('error', () => undefined);
      socket.once('data', () => socket.end(Buffer.concat([Buffer.from('HTTP/1.0 200 OK\r\n\r\n'), content])));
    });
    await new Promise<void>((resolve) => plain.listen(0, '127.0.0.1', resolve));
    const { port } = plain.address() as AddressInfo;
    const source = urlSource(new URL(`http://127.0.0.1:${port}/`));
    for (let fetched = 0; fetched < 3; fetched++) {
      const opened = await source.open('npm/all.zip', undefined);
      if (typeof opened === 'string') throw new Error(`the feed is ${opened}`);
      await using file = opened;
      expect((await file.handle.stat()).size).toBe(content.length);
    }
  });

  it('is out of reach if there is no server', async () => {
    const source = urlSource(new URL('http://127.0.0.1:1/'));
    await expect(source.open('kev.json', undefined)).rejects.toMatchObject({ code: 'feed_unreachable' });
  });

  it('is given up when the caller says so', async () => {
    const giveUp = new AbortController();
    const { source } = await sourceOn(() => giveUp.abort(new Error('no longer needed')));
    await expect(source.open('npm/all.zip', undefined, giveUp.signal)).rejects.toThrow('no longer needed');
  });
});

/** Often enough for the watchdog, and without an end. */
function drip(response: ServerResponse): void {
  const timer = setInterval(() => response.write('.'), 50);
  response.on('close', () => clearInterval(timer));
}
