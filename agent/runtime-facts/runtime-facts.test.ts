import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import type { RuntimeContainer } from '../runtimes/runtime.ts';
import { digestOf, MemoryCore, MemoryNode, partsOf } from '../testing/node.ts';
import { ProcNode } from '../testing/proc.ts';
import { RuntimeFacts } from './runtime-facts.ts';

const image = digestOf('image');
const container: RuntimeContainer = {
  id: 'c',
  name: 'main',
  namespace: '',
  pod: '',
  podUid: '',
  image,
  running: true,
};

let proc: ProcNode;
let node: MemoryNode;
let core: MemoryCore;
let facts: RuntimeFacts;
let ending: AbortController;
let running: Promise<void>;
beforeEach(async () => {
  proc = await ProcNode.make();
  node = new MemoryNode();
  node.process = { pid: 7, node: proc.root };
  core = new MemoryCore();
  facts = new RuntimeFacts(partsOf(node, core), { tick: 1, after: [0], every: 1, confirm: 1 });
  ending = new AbortController();
  running = facts.run(ending.signal);
});
afterEach(async () => {
  ending.abort();
  await running;
  await proc[Symbol.asyncDispose]();
});

const told = (...expected: readonly { loaded: readonly string[]; drift: readonly object[] }[]) =>
  vi.waitFor(() => expect(core.facts).toEqual(expected.map((each) => ({ container: 'c', ...each }))), {
    timeout: 20_000,
  });
const a = { loaded: ['usr/bin/a'], drift: [] };
const drifted = { loaded: [], drift: [{ path: '/memfd:x', kind: 'memory' }] };

describe('what containers run', () => {
  it('is told once, and later what is new', async () => {
    await proc.run(7, { exe: '/usr/bin/a' });
    facts.update([container]);
    await told(a);
    await proc.run(8, { exe: '/usr/bin/b', maps: ['/usr/bin/b', '/usr/lib/c.so'] });
    await told(a, { loaded: ['usr/bin/b', 'usr/lib/c.so'], drift: [] });
    await proc.run(9, { exe: '/memfd:x (deleted)' });
    await told(a, { loaded: ['usr/bin/b', 'usr/lib/c.so'], drift: [] }, drifted);
  });

  it('is told of an image once, however many containers of it there are', async () => {
    await proc.run(7, { exe: '/usr/bin/a' });
    facts.update([container]);
    await told(a);
    facts.update([container, { ...container, id: 'd' }]);
    await proc.run(8, { exe: '/usr/bin/b' });
    await vi.waitFor(() => expect(core.facts).toHaveLength(2));
    expect(core.facts.flatMap(({ loaded = [] }) => loaded)).toEqual(['usr/bin/a', 'usr/bin/b']);
  });

  it('is told again until the core knows the container, and when it has lost its image', async () => {
    await proc.run(7, { exe: '/usr/bin/a' });
    await proc.run(8, { exe: '/memfd:x (deleted)' });
    core.knowsContainers = false;
    facts.update([container]);
    await vi.waitFor(() => expect(core.calls.length).toBeGreaterThan(2));
    core.knowsContainers = true;
    const both = { ...a, drift: drifted.drift };
    await told(both);
    facts.forget(image);
    await told(both, both);
  });

  it('is told of 2,000 files of an image and no more, whatever containers write and load', async () => {
    const files = (turn: number) => Array.from({ length: 1_500 }, (_, index) => `/tmp/${turn}-${index}.so`);
    await proc.run(7, { exe: '/usr/bin/a', maps: files(1) });
    facts.update([container]);
    const loaded = (): number => core.facts.reduce((sum, each) => sum + (each.loaded ?? []).length, 0);
    await vi.waitFor(() => expect(loaded()).toBe(1_501), { timeout: 20_000 });
    await proc.run(7, { exe: '/usr/bin/a', maps: files(2) });
    await vi.waitFor(() => expect(loaded()).toBe(2_000), { timeout: 20_000 });
    await proc.run(7, { exe: '/usr/bin/a', maps: files(3) });
    await proc.run(8, { exe: '/memfd:x (deleted)' });
    await vi.waitFor(() => expect(core.facts.at(-1)?.drift).toHaveLength(1), { timeout: 20_000 });
    expect(loaded()).toBe(2_000);
  });

  it('is told when the core is back', async () => {
    await proc.run(7, { exe: '/usr/bin/a' });
    core.goAway();
    facts.update([container]);
    await proc.run(8, { exe: '/usr/bin/b' });
    core.comeBack();
    await vi.waitFor(() =>
      expect(core.facts.flatMap(({ loaded = [] }) => loaded).sort()).toEqual(['usr/bin/a', 'usr/bin/b']),
    );
  });

  it('is no drift if it has ended at the second glance, as what begins a program in a container', async () => {
    const parts = partsOf(node, core);
    facts = new RuntimeFacts(parts, { tick: 1, after: [0], every: 1, confirm: 2_000 });
    await proc.run(7, { exe: '/usr/bin/a' });
    await proc.run(8, { exe: '/memfd:runc_cloned (deleted)' });
    facts.update([container]);
    const later = facts.run(ending.signal);
    const looked = () => parts.metrics.looks.get().then(({ values }) => expect(values).toHaveLength(1));
    await vi.waitFor(looked, { timeout: 20_000 });
    await proc.run(8, { exe: '/usr/bin/b' });
    await told(a, { loaded: ['usr/bin/b'], drift: [] });
    ending.abort();
    await later;
  });

  it('is forgotten with the last container of the image, and told anew of the next one', async () => {
    await proc.run(7, { exe: '/usr/bin/a' });
    facts.update([container]);
    await told(a);
    facts.update([{ ...container, running: false }]);
    facts.update([{ ...container, id: 'e' }]);
    await vi.waitFor(() => expect(core.facts[1]).toEqual({ container: 'e', ...a }));
  });
});
