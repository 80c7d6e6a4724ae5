import { appendFile, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { VerdictChange } from '@gatehouse/core-client';
import { noLog } from '@gatehouse/lib/log.ts';
import { parseVerdict, VerdictIndex } from '@gatehouse/policies';
import fc from 'fast-check';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { VerdictDisk } from './verdict-disk.ts';
import { VerdictFeed } from './verdict-feed.ts';

const digestOf = (n: number): string => `sha256:${n.toString(16).padStart(64, '0')}`;
const verdict = (critical: number): string =>
  JSON.stringify(parseVerdict({ state: 'ready', fixable: { critical } }));

function change(n: number, critical = 0): VerdictChange {
  return { image: digestOf(n), aliases: [`app:${n}`], verdict: verdict(critical) };
}

const gone = (n: number): VerdictChange => ({ image: digestOf(n), aliases: [], verdict: undefined });

let folder: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'gatehouse-feed-'));
});
afterEach(() => rm(folder, { recursive: true, force: true }));

/** A webhook's memory, as it is after a start from the disk. */
async function start(): Promise<{ index: VerdictIndex; feed: VerdictFeed; disk: VerdictDisk }> {
  const index = new VerdictIndex(10_000_000);
  const disk = await VerdictDisk.open(folder, noLog);
  const feed = new VerdictFeed(index, disk, noLog);
  await feed.loadFromDisk();
  return { index, feed, disk };
}

const contentOf = (index: VerdictIndex): Record<string, string> =>
  Object.fromEntries([...index.images()].map(({ digest, verdict }) => [digest, verdict]));

describe('the verdicts of a webhook', () => {
  it('are not all there before the core has said all it knows', async () => {
    const { feed, disk } = await start();
    feed.reset('s');
    feed.apply([change(1)], { store: 's', revision: 1 }, false);
    expect(feed.loaded).toBe(false);
    feed.apply([change(2)], { store: 's', revision: 2 }, true);
    expect(feed.loaded).toBe(true);
    await disk.flush();
  });

  it('are all there, none, where the core knows of no image', async () => {
    const { feed, disk } = await start();
    feed.reset('s');
    feed.apply([], { store: 's', revision: 0 }, true);
    expect(feed.loaded).toBe(true);
    await disk.flush();
  });

  it('are there after a restart without the core, with the place to go on from', async () => {
    const first = await start();
    first.feed.reset('s');
    first.feed.apply([change(1), change(2)], { store: 's', revision: 2 }, true);
    first.feed.apply([change(2, 1), gone(1)], { store: 's', revision: 4 }, true);
    await first.disk.flush();

    const second = await start();
    expect(second.feed.loaded).toBe(true);
    expect(second.feed.position()).toEqual({ store: 's', revision: 4 });
    expect(contentOf(second.index)).toEqual({ [digestOf(2)]: verdict(1) });
    expect(second.index.find('docker.io/library/app:2')).toHaveLength(1);
    expect(Date.now() - second.index.confirmedAt).toBeLessThan(60_000);
  });

  it('after a crash go back to the last whole batch', async () => {
    const first = await start();
    first.feed.reset('s');
    first.feed.apply([change(1)], { store: 's', revision: 1 }, true);
    await first.disk.flush();
    await appendFile(
      join(folder, 'verdicts.journal'),
      `{"image":"${digestOf(1)}","aliases":[],"verdict":{"sta`,
    );

    const second = await start();
    expect(second.feed.position().revision).toBe(1);
    second.feed.apply([change(2)], { store: 's', revision: 2 }, true);
    await second.disk.flush();
    // What the crash left is no obstacle to what came after.
    const third = await start();
    expect(third.feed.position().revision).toBe(2);
    expect(third.index.size).toBe(2);
  });

  it('on a disk full of something else are none', async () => {
    await writeFile(join(folder, 'verdicts.journal'), 'this is no journal\n'.repeat(100));
    const { feed, index, disk } = await start();
    expect(feed.loaded).toBe(false);
    expect(index.size).toBe(0);
    await disk.flush();
  });

  it('of another store serve until that store has said all, and then only its own do', async () => {
    const { feed, index, disk } = await start();
    feed.reset('old');
    feed.apply([change(1), change(2)], { store: 'old', revision: 2 }, true);
    feed.reset('new');
    feed.apply([change(2, 1)], { store: 'new', revision: 1 }, false);
    expect(Object.keys(contentOf(index)).sort()).toEqual([digestOf(1), digestOf(2)]);
    feed.apply([change(3)], { store: 'new', revision: 2 }, true);
    expect(Object.keys(contentOf(index)).sort()).toEqual([digestOf(2), digestOf(3)]);
    await disk.flush();
    const again = await start();
    expect(again.feed.position()).toEqual({ store: 'new', revision: 2 });
    expect(contentOf(again.index)).toEqual(contentOf(index));
  });

  it('that cannot be understood make the image unknown, and the others stay', async () => {
    const { feed, index, disk } = await start();
    feed.reset('s');
    feed.apply([change(1), change(2)], { store: 's', revision: 2 }, true);
    const odd = { image: digestOf(1), aliases: [], verdict: '{"state":"of a kind that comes later"}' };
    feed.apply([odd], { store: 's', revision: 3 }, true);
    expect(Object.keys(contentOf(index))).toEqual([digestOf(2)]);
    await disk.flush();
  });

  it('do not make the journal grow without end', async () => {
    const { feed, disk } = await start();
    feed.reset('s');
    for (let revision = 1; revision <= 30_000; revision++) {
      feed.apply([change(revision % 5, revision)], { store: 's', revision }, true);
    }
    await disk.flush();
    const lines = (await readFile(join(folder, 'verdicts.journal'), 'utf8')).split('\n').length;
    expect(lines).toBeLessThan(12_000);
    expect((await start()).feed.position().revision).toBe(30_000);
  });

  it('are the same from the disk as they were in memory, whatever has come', async () => {
    const changes = fc.array(fc.record({ n: fc.nat(5), critical: fc.nat(3), gone: fc.boolean() }), {
      maxLength: 6,
    });
    await fc.assert(
      fc.asyncProperty(fc.array(changes, { maxLength: 8 }), async (batches) => {
        await rm(folder, { recursive: true, force: true });
        const before = await start();
        before.feed.reset('s');
        for (const [revision, batch] of batches.entries()) {
          const said = batch.map(({ n, critical, gone: isGone }) => (isGone ? gone(n) : change(n, critical)));
          before.feed.apply(said, { store: 's', revision: revision + 1 }, true);
        }
        await before.disk.flush();
        const after = await start();
        expect(contentOf(after.index)).toEqual(contentOf(before.index));
      }),
      { numRuns: 50 },
    );
  });
});
