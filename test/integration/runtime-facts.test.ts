import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type FeedsFolder, makeFeedsFolder } from '../fixtures/feeds.ts';
import { eventually } from '../harness/wait.ts';
import {
  bring,
  debian,
  describe as describeImage,
  imageOf,
  layerOf,
  npmPackage,
  type TestImage,
} from './layers.ts';
import { type RunningCore, startRunningCore, Watcher } from './running-core.ts';

const LIBRARY = 'usr/lib/x86_64-linux-gnu/libmodbus.so.5';
const list = { 'var/lib/dpkg/info/libmodbus5:amd64.list': `/.\n/${LIBRARY}\n` };

describe('what the core is told that containers run', () => {
  let running: RunningCore;
  let feeds: FeedsFolder;
  let next = 0;

  beforeAll(async () => {
    feeds = await makeFeedsFolder();
    running = await startRunningCore({ feeds: feeds.path });
  });

  afterAll(async () => {
    await running?.[Symbol.asyncDispose]();
    await feeds?.[Symbol.asyncDispose]();
  });

  /** A vulnerable library of Debian and a vulnerable package of npm. */
  async function vulnerable(): Promise<TestImage> {
    const files = { ...debian('libmodbus5 3.1.6-2.1 libmodbus'), ...list, [LIBRARY]: `${++next}` };
    return imageOf(await layerOf({ ...files, ...npmPackage('minimist', '1.2.0') }));
  }

  async function runs(image: TestImage, ...containers: readonly string[]): Promise<void> {
    const rows = containers.map((id) => ({
      id,
      name: 'main',
      namespace: 'shop',
      pod: 'web',
      podUid: 'u1',
      image: image.digest,
      running: true,
    }));
    await running.agents.n1.reportNode({ runtime: 'test 1', images: [], containers: rows });
  }

  async function listDrift(query = ''): Promise<readonly Record<string, unknown>[]> {
    const response = await fetch(`${running.api}/drift${query}`);
    return ((await response.json()) as { drift: Record<string, unknown>[] }).drift;
  }

  it('marks the findings of the packages whose files run, and no others', async () => {
    await using watcher = new Watcher().follow(running.webhook);
    const image = await vulnerable();
    await bring(running.agents.n1, image);
    await runs(image, 'c1');
    const before = await watcher.until(image.digest, () => true);
    expect(before.findings.map(({ loaded }) => loaded)).not.toContain(true);

    const facts = { container: 'c1', loaded: [LIBRARY, 'usr/bin/not-in-the-image'], drift: [] };
    expect(await running.agents.n1.reportRuntimeFacts(facts)).toBe(true);
    const after = await watcher.until(image.digest, ({ findings }) => findings.some(({ loaded }) => loaded));
    const loaded = new Set(after.findings.filter((each) => each.loaded).map(({ purl }) => purl));
    expect([...loaded]).toEqual([expect.stringMatching(/^pkg:deb\/debian\/libmodbus5@/)]);
    expect(after.counts).toEqual(before.counts);
    const found = await (await fetch(`${running.api}/image?name=${image.digest}`)).json();
    expect(found).toMatchObject({
      findings: expect.arrayContaining([expect.objectContaining({ loaded: true })]),
    });
  });

  it('says it of an image whose content comes only afterwards', async () => {
    await using watcher = new Watcher().follow(running.webhook);
    const image = await vulnerable();
    const { n1 } = running.agents;
    await runs(image, 'c2');
    const facts = { container: 'c2', loaded: [LIBRARY], drift: [] };
    expect(await n1.reportRuntimeFacts(facts), 'nothing is known of the image').toBe(false);
    await n1.missingLayers(describeImage(image), 'another version');
    expect(await n1.reportRuntimeFacts(facts)).toBe(true);
    await bring(n1, image);
    const verdict = await watcher.until(image.digest, () => true);
    expect(verdict.findings.filter((each) => each.loaded)).not.toHaveLength(0);
  });

  it('keeps a verdict as it is when nothing new was said', async () => {
    await using watcher = new Watcher().follow(running.webhook);
    const image = await vulnerable();
    await bring(running.agents.n1, image);
    await runs(image, 'c3');
    const facts = { container: 'c3', loaded: [LIBRARY], drift: [] };
    await running.agents.n1.reportRuntimeFacts(facts);
    const { revision } = await watcher.until(image.digest, ({ findings }) =>
      findings.some((each) => each.loaded),
    );
    await running.agents.n1.reportRuntimeFacts(facts);
    await eventually(
      async () => expect(await running.core.app.jobs.pending(running.core.app.database)).toEqual([]),
      { what: 'all work to be done' },
    );
    expect(watcher.verdictOf(image.digest)?.revision).toBe(revision);
  });

  it('believes a node of its own containers only', async () => {
    const image = await vulnerable();
    await bring(running.agents.n1, image);
    await runs(image, 'c4');
    const drift = [{ path: '/tmp/x', kind: 'written' }];
    const facts = { container: 'c4', loaded: [LIBRARY], drift };
    expect(await running.agents.n2.reportRuntimeFacts(facts)).toBe(false);
    expect(await running.agents.n1.reportRuntimeFacts({ ...facts, container: 'c5' })).toBe(false);
    expect(await listDrift()).toEqual([]);
  });

  it('lists what containers run that is not of their images, until they are gone', async () => {
    const image = await vulnerable();
    await bring(running.agents.n1, image);
    await runs(image, 'c6', 'c7');
    const { n1 } = running.agents;
    const written = { path: '/tmp/miner', kind: 'written' };
    const memory = { path: '/memfd:x', kind: 'memory' };
    await n1.reportRuntimeFacts({ container: 'c6', loaded: [], drift: [written, memory] });
    await n1.reportRuntimeFacts({ container: 'c7', loaded: [], drift: [written] });
    await n1.reportRuntimeFacts({ container: 'c6', loaded: [], drift: [memory] });
    const all = await listDrift();
    expect(all).toHaveLength(3);
    expect(all).toContainEqual({
      ...{ cluster: 'test', node: 'n1', namespace: 'shop', pod: 'web', container: 'c6', name: 'main' },
      ...{ id: expect.any(Number), image: image.digest, ...written, seenAt: expect.any(String) },
    });
    expect(await listDrift(`?after=${all[0]?.id}&limit=1`)).toEqual([all[1]]);
    await runs(image, 'c7');
    expect(await listDrift()).toMatchObject([{ container: 'c7', path: '/tmp/miner' }]);
  });

  it.each([
    ['too many files', { loaded: Array.from({ length: 2_001 }, (_, index) => `${index}`) }],
    ['a kind that there is not', { drift: [{ path: '/a', kind: 'odd' }] }],
  ])('refuses %s', async (_what, said) => {
    const call = running.agents.n1.reportRuntimeFacts({ container: 'c7', loaded: [], drift: [], ...said });
    await expect(call).rejects.toMatchObject({ code: 'core_rejected' });
  });

  it('keeps what it can of names without end or print, and all others of the report', async () => {
    await using watcher = new Watcher().follow(running.webhook);
    const image = await vulnerable();
    await bring(running.agents.n1, image);
    await runs(image, 'c9');
    // Of characters with no pattern, for PostgreSQL packs what has one; three bytes each.
    const endless = Array.from({ length: 1_000 }, (_, index) =>
      String.fromCodePoint(0x4e00 + ((index * 7_919) % 20_000)),
    ).join('');
    const drift = [`/tmp/${endless}`, '/tmp/a\nb', '/tmp/miner'].map((path) => ({ path, kind: 'written' }));
    const loaded = [endless, 'a\nb', '', LIBRARY];
    expect(await running.agents.n1.reportRuntimeFacts({ container: 'c9', loaded, drift })).toBe(true);
    await watcher.until(image.digest, ({ findings }) => findings.some((each) => each.loaded));
    const paths = (await listDrift('?limit=500')).flatMap((each) =>
      each.container === 'c9' ? [String(each.path)] : [],
    );
    expect(paths.toSorted()).toEqual([
      '/tmp/a?b',
      '/tmp/miner',
      expect.stringMatching(/^\/tmp\/\p{Lo}{339}$/u),
    ]);
  });

  it('keeps so many files and no more, of an image and of a container', async () => {
    const image = await vulnerable();
    await bring(running.agents.n1, image);
    await runs(image, 'c8');
    const paths = (from: number, count: number) =>
      Array.from({ length: count }, (_, index) => `/x/${from + index}`);
    for (const from of [0, 1_500]) {
      const drift = paths(from, 40).map((path) => ({ path, kind: 'written' }));
      await running.agents.n1.reportRuntimeFacts({ container: 'c8', loaded: paths(from, 1_500), drift });
    }
    const [count] = await running.core.app.database.query(
      'select count(*) as count from gatehouse.loaded_files where image = $1',
      [image.digest],
    );
    expect(count).toEqual({ count: 2_000 });
    expect(await listDrift('?limit=500')).toHaveLength(50);
  });
});
