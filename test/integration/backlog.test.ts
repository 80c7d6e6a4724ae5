import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { upsertPackages } from '../../core/datastore/packages.ts';
import { type FeedsFolder, makeFeedsFolder } from '../fixtures/feeds.ts';
import { eventually } from '../harness/wait.ts';
import { bring, debian, imageOf, layerOf, npmPackage } from './layers.ts';
import { type RunningCore, startRunningCore, Watcher } from './running-core.ts';

describe('many images at once', () => {
  let running: RunningCore;
  let feeds: FeedsFolder;

  beforeAll(async () => {
    feeds = await makeFeedsFolder();
    running = await startRunningCore({ feeds: feeds.path });
  });

  afterAll(async () => {
    await running?.[Symbol.asyncDispose]();
    await feeds?.[Symbol.asyncDispose]();
  });

  it('are judged one after another without a pause', async () => {
    const { n1 } = running.agents;
    const bottom = await layerOf({ ...debian('apt 2.6.1'), ...npmPackage('minimist', '1.2.0') });
    const tops = await Promise.all([1, 2, 4, 8, 16, 32].map((bit) => layerOf({ 'srv/bit': `${bit}` })));
    await using watcher = new Watcher().follow(running.webhook);
    // All layers are known with the last of them.
    const images = Array.from({ length: 60 }, (_, n) =>
      imageOf(bottom, ...tops.filter((_layer, bit) => (n & (1 << bit)) !== 0)),
    );
    await bring(n1, imageOf(bottom, ...tops));
    for (const image of images) expect(await bring(n1, image)).toEqual([]);
    // By polls alone, of two workers each ten seconds, it would take five minutes.
    await eventually(
      () => expect(images.filter(({ digest }) => !watcher.verdictOf(digest))).toHaveLength(0),
      { what: 'all verdicts' },
    );
  });

  it('do not hold the packages that they share, which are rematched meanwhile', async () => {
    const { database } = running.core.app;
    const known = await database.query<{ purl: string; ecosystem: string; name: string; version: string }>(
      `select purl, key_ecosystem as ecosystem, key_name as name, key_version as version
       from gatehouse.packages where key_ecosystem is not null`,
    );
    expect(known).not.toHaveLength(0);
    await database.transaction(async (composing) => {
      const packages = known.map(({ purl, ...key }) => ({ purl, key }));
      expect(await upsertPackages(composing, packages)).toHaveLength(known.length);
      await database.query('select from gatehouse.packages for no key update nowait');
    });
  });
});
