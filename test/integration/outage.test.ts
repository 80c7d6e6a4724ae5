import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { noLog } from '@gatehouse/lib/log.ts';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { runAgent } from '../../agent/agent.ts';
import { Outbox } from '../../agent/outbox.ts';
import { digestOf, MemoryNode, partsOf } from '../../agent/testing/node.ts';
import { startTcpProxy, type TcpProxy } from '../harness/tcp-proxy.ts';
import { eventually } from '../harness/wait.ts';
import { type RunningCore, startRunningCore } from './running-core.ts';

let stack: AsyncDisposableStack;
let running: RunningCore;
let proxy: TcpProxy;
let folder: string;

beforeEach(async () => {
  stack = new AsyncDisposableStack();
  folder = await mkdtemp(path.join(tmpdir(), 'gatehouse-outage-'));
  stack.defer(() => rm(folder, { recursive: true, force: true }));
  running = stack.use(await startRunningCore({}));
  proxy = stack.use(await startTcpProxy(running.core.grpcPort));
});
afterEach(() => stack.disposeAsync());

/** An agent on a node in memory, whose way to the core is the proxy. Its looks follow each other at once. */
async function start(name: 'n1' | 'n2', node: MemoryNode): Promise<AsyncDisposable> {
  await using own = new AsyncDisposableStack();
  const core = own.use(running.connect(name, proxy.port));
  const outbox = await Outbox.open(path.join(folder, name), 1_000_000, noLog);
  const ending = new AbortController();
  const agent = runAgent({ ...partsOf(node, core), outbox, relist: 1 }, ending.signal);
  own.defer(async () => {
    ending.abort();
    await agent;
  });
  return own.move();
}

/** The layers that the core has, and from which node. */
async function layers(): Promise<readonly { readonly diffId: string; readonly source: string }[]> {
  return running.core.app.database.query(
    'select diff_id as "diffId", source from gatehouse.layers where fragment is not null order by 1',
  );
}
const has = (...words: readonly string[]) =>
  eventually(
    async () => expect((await layers()).map(({ diffId }) => diffId)).toEqual(words.map(digestOf).sort()),
    {
      what: 'the layers to be brought',
    },
  );

describe('agents', () => {
  it('read on while the core is away, are started anew, and bring everything once it is back', async () => {
    const node = new MemoryNode();
    node.add('base', 'one');
    node.add('base', 'two');
    proxy.breakAfter(0);
    {
      await using _first = await start('n1', node);
      await eventually(() => expect(node.read).toHaveLength(3), { what: 'the layers to be read' });
    }
    expect(await layers()).toEqual([]);
    await using _second = await start('n1', node);
    proxy.mend();
    await has('base', 'one', 'two');
    expect(node.read).toHaveLength(3);
  });

  it('read a layer that both have once between them', async () => {
    const nodes = [new MemoryNode(), new MemoryNode()] as const;
    const words = Array.from({ length: 20 }, (_, n) => `layer ${n}`);
    for (const node of nodes) for (const word of words) node.add('base', word);
    await using _one = await start('n1', nodes[0]);
    await using _two = await start('n2', nodes[1]);
    await has('base', ...words);
    expect([...nodes[0].read, ...nodes[1].read].toSorted()).toEqual(['base', ...words].map(digestOf).sort());
  });
});
