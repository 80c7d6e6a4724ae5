import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type FeedsFolder, makeFeedsFolder } from '../fixtures/feeds.ts';
import { bring, imageOf, layerOf, npmPackage, OS_RELEASE } from './layers.ts';
import { type RunningCore, startRunningCore, Watcher } from './running-core.ts';

describe('an image that cannot be composed of what was brought', () => {
  let running: RunningCore;
  let feeds: FeedsFolder;

  beforeAll(async () => {
    feeds = await makeFeedsFolder();
    running = await startRunningCore({ feeds: feeds.path });
    // A minute of tries is no part of this.
    await running.core.app.database.query(
      `update gatehouse_jobs.queue set retry_limit = 0 where name = 'compose-image'`,
    );
  });

  afterAll(async () => {
    await running?.[Symbol.asyncDispose]();
    await feeds?.[Symbol.asyncDispose]();
  });

  it('is failed, with the reason, until it can', async () => {
    await using watcher = new Watcher().follow(running.webhook);
    const { database } = running.core.app;
    const { n1 } = running.agents;
    const base = await layerOf({ ...OS_RELEASE, ...npmPackage('minimist', '1.2.0') });
    await bring(n1, imageOf(base));
    const [kept] = await database.query<{ fragment: Buffer }>(
      `select fragment from gatehouse.layers where diff_id = $1`,
      [base.diffId],
    );
    const setFragment = (bytes: Buffer | undefined) =>
      database.query(`update gatehouse.layers set fragment = $2 where diff_id = $1`, [base.diffId, bytes]);
    await setFragment(Buffer.from('torn'));
    const image = imageOf(base, await layerOf({ 'srv/app': 'one' }));
    await bring(n1, image);
    expect(await watcher.until(image.digest, () => true)).toMatchObject({ state: 'failed' });
    const shown = await (await fetch(`${running.api}/image?name=${image.digest}`)).json();
    expect(shown).toMatchObject({
      state: 'failed',
      reason: 'what was read of it cannot be put together: the bytes are not a fragment',
    });

    await setFragment(kept?.fragment);
    await bring(n1, image);
    expect(await watcher.until(image.digest, ({ state }) => state === 'ready')).toMatchObject({
      fixable: { critical: 1 },
    });
  });
});
