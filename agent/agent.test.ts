import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { CoreClientError } from '@gatehouse/core-client';
import { noLog } from '@gatehouse/lib/log.ts';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { type AgentParts, runAgent } from './agent.ts';
import { Outbox } from './outbox.ts';
import { digestOf, MemoryCore, MemoryNode, partsOf } from './testing/node.ts';

/** None takes more than a second; a busy machine is no reason to fail. */
const PATIENCE = { timeout: 30_000 };
let folder: string;
let node: MemoryNode;
let core: MemoryCore;
beforeEach(async () => {
  folder = await mkdtemp(path.join(tmpdir(), 'gatehouse-agent-'));
  node = new MemoryNode();
  core = new MemoryCore();
});
afterEach(() => rm(folder, { recursive: true, force: true }));

/** Looks and tries follow each other at once, until the last try. */
const RETRY = { first: 1, most: 3_600_000 };
function start(parts: Partial<AgentParts> = {}): AsyncDisposable {
  const ending = new AbortController();
  const running = runAgent({ ...partsOf(node, core), relist: 1, retry: RETRY, ...parts }, ending.signal);
  return {
    async [Symbol.asyncDispose]() {
      ending.abort();
      await running;
    },
  };
}

const openOutbox = (bytes = 1_000_000): Promise<Outbox> => Outbox.open(folder, bytes, noLog);
const bringsAll = (...words: readonly string[]) =>
  vi.waitFor(() => expect([...core.layers.keys()].sort()).toEqual(words.map(digestOf).sort()), PATIENCE);
const reads = (...words: readonly string[]) =>
  vi.waitFor(() => expect(node.read.toSorted()).toEqual(words.map(digestOf).sort()), PATIENCE);
/** The node was looked at so many times more. */
const looks = (more: number) => {
  const enough = node.looks + more;
  return vi.waitFor(() => expect(node.looks).toBeGreaterThanOrEqual(enough), PATIENCE);
};
const asked = (): number => core.calls.filter((call) => call === 'missingLayers named').length;

describe('an agent whose core is away', () => {
  it('goes on reading, what runs first, and sends it when the core is back, without reading it again', async () => {
    node.add('base', 'one');
    const { digest } = node.add('base', 'two');
    node.running.add(digest);
    core.goAway();
    await using _agent = start({ outbox: await openOutbox() });
    await reads('base', 'two', 'one');
    expect(node.read.slice(0, 2)).toEqual(['base', 'two'].map(digestOf));
    core.comeBack();
    await bringsAll('base', 'one', 'two');
    expect(node.read).toHaveLength(3);
  });

  it('loses nothing of it when it is restarted meanwhile', async () => {
    node.add('base', 'one');
    core.goAway();
    {
      await using _first = start({ outbox: await openOutbox() });
      await reads('base', 'one');
    }
    core.comeBack();
    const outbox = await openOutbox();
    await using _second = start({ outbox });
    await bringsAll('base', 'one');
    expect(node.read).toHaveLength(2);
    await vi.waitFor(() => expect(outbox.isEmpty).toBe(true), PATIENCE);
  });

  it('sends only what the core still lacks when it is back, and throws the rest away', async () => {
    const outbox = await openOutbox();
    node.add('base', 'one');
    core.goAway();
    await using _agent = start({ outbox });
    await reads('base', 'one');
    core.layers.set(digestOf('base'), {} as never);
    core.comeBack();
    await bringsAll('base', 'one');
    expect(core.calls.filter((call) => call === 'uploadLayer')).toHaveLength(1);
    await vi.waitFor(() => expect(outbox.isEmpty).toBe(true), PATIENCE);
  });

  it('does not read layers of images that the core has', async () => {
    node.add('base', 'one');
    await using _agent = start({ outbox: await openOutbox() });
    await bringsAll('base', 'one');
    core.goAway();
    node.add('base', 'two');
    await reads('base', 'one', 'two');
  });

  it('stops when the outbox is full, and reads the rest when the core is back', async () => {
    const outbox = await openOutbox(300);
    for (const word of ['one', 'two', 'three', 'four']) node.add(word);
    core.goAway();
    await using _agent = start({ outbox });
    await vi.waitFor(() => expect(node.read).toHaveLength(2), PATIENCE);
    expect(outbox.bytes).toBeLessThanOrEqual(300);
    core.comeBack();
    await bringsAll('one', 'two', 'three', 'four');
  });

  it('leaves alone what cannot be read, and says so when the core is back', async () => {
    node.add('base', 'lost');
    node.unreadable.add(digestOf('lost'));
    core.goAway();
    await using _agent = start({ outbox: await openOutbox() });
    await reads('base');
    core.comeBack();
    await bringsAll('base');
    await vi.waitFor(() => expect([...core.unreadable.keys()]).toEqual([digestOf('lost')]), PATIENCE);
  });

  it('without an outbox reads nothing until the core is back', async () => {
    node.add('base');
    core.goAway();
    await using _agent = start();
    await looks(10);
    expect(node.read).toEqual([]);
    core.comeBack();
    await bringsAll('base');
  });
});

describe('an agent', () => {
  it('reads what has just started before images that wait already', async () => {
    for (const word of ['one', 'two', 'three']) node.add(word);
    node.catalogBlob = async (blob) => {
      delete (node as Partial<MemoryNode>).catalogBlob;
      node.running.add(node.add('started').digest);
      return node.catalogBlob(blob);
    };
    await using _agent = start();
    await bringsAll('one', 'two', 'three', 'started');
    expect(node.read).toEqual(['one', 'started', 'two', 'three'].map(digestOf));
  });

  it('asks again for an image whose rest other nodes bring, until that is there', async () => {
    node.add('base', 'one');
    core.leasedToOthers.set(digestOf('base'), 1);
    await using _agent = start();
    await bringsAll('one');
    const before = asked();
    await vi.waitFor(() => expect(asked()).toBeGreaterThan(before + 2), PATIENCE);
    core.layers.set(digestOf('base'), {} as never);
    await looks(3);
    const last = asked();
    await looks(3);
    expect(asked()).toBe(last);
    expect(node.read).toEqual([digestOf('one')]);
  });

  it('does not ask before the leases of the others may be over', async () => {
    node.add('base', 'one');
    core.leasedToOthers.set(digestOf('base'), 3_600_000);
    await using _agent = start();
    await bringsAll('one');
    await looks(5);
    expect(asked()).toBe(1);
  });

  it('gives an image up that fails again and again, tells the core why, and does not try it again', async () => {
    const broken = node.add('base', 'one');
    node.broken.add(broken.digest);
    node.add('other');
    await using _agent = start();
    await bringsAll('other');
    await vi.waitFor(
      () => expect(core.failed.get(broken.digest)).toContain('the runtime stumbles'),
      PATIENCE,
    );
    const calls = core.calls.length;
    await looks(5);
    expect(core.calls).toHaveLength(calls);
  });

  it('tells why it gave an image up when the core is back, if that was away just then', async () => {
    const broken = node.add('base');
    node.broken.add(broken.digest);
    core.reportFailedImage = async (report) => {
      if (core.failure) throw core.failure;
      core.goAway();
      core.reportFailedImage = MemoryCore.prototype.reportFailedImage;
      return core.reportFailedImage(report);
    };
    await using _agent = start();
    await vi.waitFor(() => expect(core.failure).toBeDefined(), PATIENCE);
    await looks(2);
    core.comeBack();
    await vi.waitFor(() => expect([...core.failed.keys()]).toEqual([broken.digest]), PATIENCE);
  });

  it('gives an image up of which the core does not take in a layer', async () => {
    const image = node.add('one');
    core.refused.add(digestOf('one'));
    await using _agent = start({ outbox: await openOutbox() });
    await vi.waitFor(() => expect(core.failed.get(image.digest)).toContain('the core says no'), PATIENCE);
    await looks(3);
    expect(node.read).toHaveLength(5);
  });

  it('reads a layer that could not be read again only when a container runs the image', async () => {
    const image = node.add('base', 'lost');
    node.unreadable.add(digestOf('lost'));
    await using _agent = start();
    await vi.waitFor(
      () => expect(core.unreadable.get(digestOf('lost'))).toContain('has not kept the blob'),
      PATIENCE,
    );
    await looks(5);
    expect(asked()).toBe(1);
    node.unreadable.clear();
    node.running.add(image.digest);
    await bringsAll('base', 'lost');
    expect(node.read).toEqual([digestOf('base'), digestOf('lost')]);
  });

  it('brings images though the core takes no report of the node', async () => {
    node.add('base');
    core.reportNode = async () => {
      throw new CoreClientError('core_rejected', 'the core says no');
    };
    await using _agent = start();
    await bringsAll('base');
  });

  it('leaves the runtime alone while an image that failed waits for its time, though others had a part of it', async () => {
    const image = node.add('base');
    core.leasedToOthers.set(digestOf('base'), 1);
    await using _agent = start({ relist: 3_600_000, retry: { first: 3_600_000, most: 3_600_000 } });
    await vi.waitFor(() => expect(core.images.has(image.digest)).toBe(true), PATIENCE);
    core.leasedToOthers.clear();
    node.broken.add(image.digest);
    await vi.waitFor(() => expect(node.stumbled).toBe(1), PATIENCE);
    const before = node.looks;
    node.changed();
    await looks(1);
    expect([node.looks, node.stumbled]).toEqual([before + 1, 1]);
  });

  it('tries an image no sooner for all that happens on the node', async () => {
    node.broken.add(node.add('base').digest);
    await using _agent = start({ retry: { first: 3_600_000, most: 3_600_000 } });
    await looks(8);
    expect([asked(), core.failed.size]).toEqual([1, 0]);
  });

  it('brings an image that it had given up, once that can be read', async () => {
    const broken = node.add('base');
    node.broken.add(broken.digest);
    await using _agent = start({ retry: { first: 1, most: 50 } });
    await vi.waitFor(() => expect(core.failed.size).toBe(1), PATIENCE);
    node.broken.clear();
    await bringsAll('base');
  });

  it('brings anew what the core has lost, also what it could read in part only, or had given up', async () => {
    const [whole, partial, broken] = [node.add('whole'), node.add('partial'), node.add('broken')];
    node.unreadable.add(digestOf('partial'));
    node.broken.add(broken.digest);
    await using _agent = start();
    await vi.waitFor(() => expect(core.failed.size).toBe(1), PATIENCE);
    node.unreadable.clear();
    node.broken.clear();
    core.layers.clear();
    core.images.clear();
    core.unknown = [whole, partial, broken].map(({ digest }) => digest);
    node.add('new');
    await bringsAll('whole', 'partial', 'broken', 'new');
  });

  it('does not try without an end what fails and the core does not know either', async () => {
    const broken = node.add('base');
    node.broken.add(broken.digest);
    core.unknown = [broken.digest];
    let reports = 0;
    core.reportNode = async () => {
      node.running.add(node.add(`new ${reports++ % 3}`).digest);
      return core.unknown;
    };
    await using _agent = start({ retry: { first: 10_000, most: 3_600_000 } });
    await looks(10);
    expect(node.stumbled).toBe(1);
  });

  it('reads a layer that something passing kept from being read a few times more, though a container runs', async () => {
    const image = node.add('base', 'slow');
    node.running.add(image.digest);
    node.hindered.add(digestOf('slow'));
    await using _agent = start();
    await vi.waitFor(() => expect(core.unreadable.has(digestOf('slow'))).toBe(true), PATIENCE);
    await looks(30);
    expect(node.read.filter((layer) => layer === digestOf('slow'))).toHaveLength(3);
    node.hindered.clear();
    node.generation++;
    await bringsAll('base', 'slow');
  });

  it('tries what could not be read with each new container of the image, and not in between', async () => {
    const image = node.add('base', 'lost');
    node.unreadable.add(digestOf('lost'));
    node.running.add(image.digest);
    await using _agent = start();
    await looks(10);
    expect(asked()).toBe(1);
    node.generation++;
    await vi.waitFor(() => expect(asked()).toBe(2), PATIENCE);
    await looks(10);
    expect(asked()).toBe(2);
    node.unreadable.clear();
    node.generation++;
    await bringsAll('base', 'lost');
  });

  it('says nothing more of an image that went while it was read', async () => {
    const image = node.add('base');
    node.layersOf = async (digest) => {
      node.images.delete(digest);
      return MemoryNode.prototype.layersOf.call(node, digest);
    };
    await using _agent = start();
    await looks(8);
    expect([core.failed.has(image.digest), asked()]).toEqual([false, 1]);
  });
});
