import { once } from 'node:events';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import type { ServerResponse } from 'node:http';
import { createServer } from 'node:https';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { ensureLocalCertificates, type ServedCertificate } from '@gatehouse/certs';
import { noLog } from '@gatehouse/lib/log.ts';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it, vi } from 'vitest';
import { noNamespaces, WatchedNamespaces } from './namespaces.ts';

const namespace = (name: string, labels: Record<string, string> | undefined, resourceVersion = '1') => ({
  metadata: { name, resourceVersion, ...(labels && { labels }) },
});
const status = (code: number) => ({ kind: 'Status', status: 'Failure', code, message: 'told to' });

interface Watch {
  readonly from: string | null;
  send(type: string, object: object): void;
  end(): void;
  readonly closed: Promise<unknown>;
}

/** What a list is answered with: the pages of namespaces, or a status. */
type List = readonly (readonly object[])[] | number;

/** Answers lists one after the other, the last one again and again, and hands out the watches as they come. */
async function startApi(lists: readonly List[], { endsWatches = false } = {}) {
  const watches: Watch[] = [];
  const waiting: ((watch: Watch) => void)[] = [];
  let listed = 0;
  let taken = 0;
  const watch = (from: string | null, response: ServerResponse): void => {
    response.writeHead(200, { 'content-type': 'application/json' }).flushHeaders();
    if (endsWatches) response.end();
    const next = {
      from,
      send: (type: string, object: object) => void response.write(`${JSON.stringify({ type, object })}\n`),
      end: () => void response.end(),
      closed: once(response, 'close'),
    };
    watches.push(next);
    if (waiting.length > 0) waiting.shift()?.(watches[taken++] ?? next);
  };
  const server = createServer(certificate, (request, response) => {
    const query = new URL(request.url ?? '', 'http://localhost').searchParams;
    if (query.get('watch')) return watch(query.get('resourceVersion'), response);
    const page = Number(query.get('continue') ?? 0);
    if (page === 0) listed++;
    const list = lists[Math.min(listed, lists.length) - 1] ?? [];
    const body =
      typeof list === 'number'
        ? status(list)
        : {
            items: list[page] ?? [],
            metadata: { resourceVersion: '7', ...(page + 1 < list.length && { continue: `${page + 1}` }) },
          };
    response.writeHead(typeof list === 'number' ? list : 200, { 'content-type': 'application/json' });
    response.end(JSON.stringify(body));
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  stack.defer(() => {
    server.closeAllConnections();
    server.close();
  });
  const address = `https://127.0.0.1:${(server.address() as AddressInfo).port}`;
  const authority = Buffer.from(certificate.bundle ?? '').toString('base64');
  const config = {
    clusters: [{ name: 'test', cluster: { server: address, 'certificate-authority-data': authority } }],
    users: [{ name: 'test', user: {} }],
    contexts: [{ name: 'test', context: { cluster: 'test', user: 'test' } }],
    'current-context': 'test',
  };
  await writeFile(join(folder, 'config'), JSON.stringify(config));
  vi.stubEnv('KUBECONFIG', join(folder, 'config'));
  return {
    watches,
    lists: () => listed,
    nextWatch: (): Promise<Watch> =>
      new Promise((resolve) => {
        const next = watches[taken];
        if (next) {
          taken++;
          resolve(next);
        } else waiting.push(resolve);
      }),
  };
}

let folder: string;
let certificate: ServedCertificate;
let stack: AsyncDisposableStack;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'gatehouse-namespaces-'));
  await using local = await ensureLocalCertificates(join(folder, 'tls'), ['127.0.0.1'], noLog);
  certificate = local.current();
});
afterAll(() => rm(folder, { recursive: true, force: true }));
beforeEach(() => {
  stack = new AsyncDisposableStack();
});
afterEach(async () => {
  await stack.disposeAsync();
  vi.unstubAllEnvs();
});

async function start(...args: Parameters<typeof startApi>) {
  const api = await startApi(...args);
  const namespaces = stack.use(await WatchedNamespaces.start(noLog));
  return { api, namespaces };
}

describe('the labels of namespaces', () => {
  it('are there once all pages were read', async () => {
    const pages = [
      [namespace('a', { team: 'x' })],
      [namespace('b', undefined)],
      [namespace('c', { team: 'z' })],
    ];
    const { api, namespaces } = await start([pages]);
    expect(namespaces.loaded).toBe(false);
    expect((await api.nextWatch()).from).toBe('7');
    expect(namespaces.loaded).toBe(true);
    const labels = await Promise.all(['a', 'b', 'c'].map((name) => namespaces.labelsOf(name)));
    expect(labels).toEqual([{ team: 'x' }, {}, { team: 'z' }]);
  });

  it('follow each change', async () => {
    const { api, namespaces } = await start([
      [[namespace('a', { team: 'x' }), namespace('b', { team: 'y' })]],
    ]);
    const watch = await api.nextWatch();
    watch.send('MODIFIED', namespace('a', { team: 'z' }, '8'));
    watch.send('DELETED', namespace('b', { team: 'y' }, '9'));
    watch.send('ADDED', namespace('last', { team: 'w' }, '10'));
    expect(await namespaces.labelsOf('last')).toEqual({ team: 'w' });
    expect(await namespaces.labelsOf('a')).toEqual({ team: 'z' });
    expect(await namespaces.labelsOf('b')).toEqual({});
  });

  it('of a namespace that is just being made are given as soon as they come, to each who asks', async () => {
    const { api, namespaces } = await start([[[]]]);
    const watch = await api.nextWatch();
    const never = namespaces.labelsOf('never');
    const asked = Promise.all([namespaces.labelsOf('new'), namespaces.labelsOf('new')]);
    watch.send('ADDED', namespace('new', { team: 'x' }, '8'));
    expect(await Promise.race([never, asked])).toEqual([{ team: 'x' }, { team: 'x' }]);
    expect(await never).toEqual({});
  });

  it('go on from the last change, or bookmark, when the API server ends the watch', async () => {
    const { api } = await start([[[]]]);
    const first = await api.nextWatch();
    first.send('ADDED', namespace('a', {}, '8'));
    first.end();
    const second = await api.nextWatch();
    second.send('BOOKMARK', { metadata: { resourceVersion: '20' } });
    second.end();
    const third = await api.nextWatch();
    expect([second.from, third.from, api.lists()]).toEqual(['8', '20', 1]);
  });

  it('are read anew, and those of namespaces that are gone forgotten, when the watch is too old', async () => {
    const { api, namespaces } = await start([
      [[namespace('a', { team: 'x' }), namespace('b', { team: 'x' })]],
      [[namespace('b', { team: 'y' })]],
    ]);
    const watch = await api.nextWatch();
    watch.send('ERROR', status(410));
    await api.nextWatch();
    expect(api.lists()).toBe(2);
    expect(namespaces.loaded).toBe(true);
    expect(await namespaces.labelsOf('b')).toEqual({ team: 'y' });
    expect(await namespaces.labelsOf('a')).toEqual({});
  });

  it('come though the API server was not there at first', async () => {
    const { api, namespaces } = await start([503, [[namespace('a', { team: 'x' })]]]);
    await api.nextWatch();
    expect(await namespaces.labelsOf('a')).toEqual({ team: 'x' });
  });

  it('are not asked for without a pause where every watch is ended at once', async () => {
    const { api, namespaces } = await start([[[]]], { endsWatches: true });
    await api.nextWatch();
    await namespaces.labelsOf('never');
    expect(api.watches.length).toBeLessThan(10);
  });

  it('are watched no more after their end', async () => {
    const { api, namespaces } = await start([[[]]]);
    const watch = await api.nextWatch();
    await namespaces[Symbol.asyncDispose]();
    await watch.closed;
    expect(api.watches).toHaveLength(1);
  });

  it('are none outside a cluster, which is known at once', async () => {
    expect(noNamespaces.loaded).toBe(true);
    expect(await noNamespaces.labelsOf('default')).toEqual({});
  });
});
