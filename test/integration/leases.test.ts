import { CATALOGER_VERSION } from '@gatehouse/sbom';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { holdLayers, missingLayers } from '../../core/app/missing-layers.ts';
import { endLeases, renewLeases, sweepLeases, takeLeases } from '../../core/datastore/leases.ts';
import {
  describe as describeImage,
  imageOf,
  layerOf,
  type TestImage,
  type TestLayer,
  uploadOf,
} from './layers.ts';
import { type RunningCore, startRunningCore } from './running-core.ts';

describe('a layer that several nodes have', () => {
  let running: RunningCore;
  let made = 0;

  beforeAll(async () => {
    running = await startRunningCore({});
  });
  afterAll(async () => {
    await running?.[Symbol.asyncDispose]();
  });

  const newLayer = (): Promise<TestLayer> => layerOf({ 'srv/layer': `${++made}` });
  const newImage = async (layers: number): Promise<TestImage> =>
    imageOf(...(await Promise.all(Array.from({ length: layers }, newLayer))));
  const ask = (node: 'n1' | 'n2', image: TestImage) =>
    running.agents[node].missingLayers(describeImage(image), CATALOGER_VERSION);
  const hold = (node: 'n1' | 'n2', diffIds: readonly string[], release: boolean) =>
    running.agents[node].holdLayers({ diffIds, catalogerVersion: CATALOGER_VERSION, release });
  const unreadable = (node: 'n1' | 'n2', diffId: string) =>
    running.agents[node].reportUnreadableLayer({
      diffId,
      catalogerVersion: CATALOGER_VERSION,
      reason: 'gone',
    });
  const diffIdsOf = ({ layers }: TestImage) => layers.map(({ diffId }) => diffId);
  /** Lets time pass for the leases on an image's layers. */
  const age = (image: TestImage, minutes: number) =>
    running.core.app.database.query(
      `update gatehouse.layer_leases set until = until - $2 * interval '1 minute' where diff_id = any($1)`,
      [diffIdsOf(image), minutes],
    );
  const leases = (image: TestImage) =>
    running.core.app.database.query<{ node: string }>(
      'select node from gatehouse.layer_leases where diff_id = any($1) order by diff_id',
      [diffIdsOf(image)],
    );

  it('is the first one’s to bring; the others are told how long that may last', async () => {
    const image = await newImage(2);
    const first = await ask('n1', image);
    expect(first).toMatchObject({ diffIds: diffIdsOf(image), leased: [] });
    const second = await ask('n2', image);
    expect(second.diffIds).toEqual([]);
    expect(second.leased.map(({ diffId }) => diffId)).toEqual(diffIdsOf(image));
    for (const { endsInMs } of second.leased) {
      expect(endsInMs).toBeGreaterThan(first.leaseMs / 2);
      expect(endsInMs).toBeLessThanOrEqual(first.leaseMs);
    }
    expect(await ask('n1', image)).toMatchObject({ diffIds: diffIdsOf(image), leased: [] });
  });

  it('is shared out layer by layer: of another image with the same base only the rest is to bring', async () => {
    const [base, one, two] = await Promise.all([newLayer(), newLayer(), newLayer()]);
    await ask('n1', imageOf(base, one));
    expect(await ask('n2', imageOf(base, two))).toMatchObject({
      diffIds: [two.diffId],
      leased: [{ diffId: base.diffId }],
    });
  });

  it('goes to another node when the first one gives it back, or falls silent', async () => {
    const [given, silent] = [await newImage(1), await newImage(1)];
    await ask('n1', given);
    await hold('n1', diffIdsOf(given), true);
    expect(await ask('n2', given)).toMatchObject({ diffIds: diffIdsOf(given) });

    await ask('n1', silent);
    await age(silent, 3);
    expect(await ask('n2', silent)).toMatchObject({ diffIds: diffIdsOf(silent) });
  });

  it('stays with a node that still works at it, and no other can end or renew that', async () => {
    const image = await newImage(1);
    await ask('n1', image);
    await age(image, 1);
    await hold('n1', diffIdsOf(image), false);
    await age(image, 1);
    await hold('n2', diffIdsOf(image), true);
    expect(await ask('n2', image)).toMatchObject({ diffIds: [] });
    await hold('n2', diffIdsOf(image), false);
    await age(image, 1.5);
    expect(await ask('n2', image)).toMatchObject({ diffIds: diffIdsOf(image) });
  });

  it('goes to another node at once when the first one could not read it, and comes back if that cannot either', async () => {
    const image = await newImage(1);
    const [diffId = ''] = diffIdsOf(image);
    await ask('n1', image);
    await unreadable('n1', diffId);
    expect(await ask('n2', image)).toMatchObject({ diffIds: [diffId], leased: [] });
    await unreadable('n2', diffId);
    expect(await ask('n1', image)).toMatchObject({ diffIds: [diffId], leased: [] });
  });

  it('is accepted from whoever brings it, and the lease is over', async () => {
    const image = await newImage(1);
    await ask('n1', image);
    await running.agents.n2.uploadLayer(await uploadOf(image, diffIdsOf(image)[0] ?? ''));
    expect(await leases(image)).toEqual([]);
    expect(await ask('n1', image)).toMatchObject({ diffIds: [], leased: [] });
    await running.agents.n1.uploadLayer(await uploadOf(image, diffIdsOf(image)[0] ?? ''));
  });

  it('is handed to exactly one of many that ask at the same moment, whatever else is in their images', async () => {
    const { app } = running.core;
    const layers = await Promise.all(Array.from({ length: 12 }, newLayer));
    // Each node has the layers in another order, so that locks taken as they come would meet crosswise.
    const asked = await Promise.all(
      Array.from({ length: 48 }, async (_, n) => {
        const own = layers.map((_layer, index) => layers[(index * (n % 2 ? 5 : 7) + n) % 12] as TestLayer);
        const node = { cluster: 'test', node: `racer-${n}` };
        return missingLayers(app, node, describeImage(imageOf(...own)), CATALOGER_VERSION);
      }),
    );
    const handedOut = asked.flatMap(({ diffIds }) => diffIds);
    expect(handedOut.toSorted()).toEqual(layers.map(({ diffId }) => diffId).toSorted());
    for (const { diffIds, leased } of asked) expect(diffIds.length + leased.length).toBe(12);
  });

  it('is never waited for in a circle by those who ask for the same ones in other orders', async () => {
    const { database } = running.core.app;
    const diffIds = diffIdsOf(await newImage(64));
    let begun = 0;
    await Promise.all(
      Array.from({ length: 48 }, (_, n) =>
        database.transaction(async (sql) => {
          begun++;
          const own = n % 2 ? diffIds : diffIds.toReversed();
          const layers = { diffIds: own, catalogerVersion: CATALOGER_VERSION };
          // Each lease is over at once, so that everybody takes all of them.
          await takeLeases(sql, { cluster: 'test', node: `crossing-${n}` }, layers, { ms: 0, most: 64 });
          await renewLeases(sql, { cluster: 'test', node: `crossing-${n}` }, layers, 0);
          await endLeases(sql, { cluster: 'test', node: `crossing-${n}` }, layers);
        }),
      ),
    );
    // A transaction that PostgreSQL had to break off is begun again.
    expect(begun).toBe(48);
  });

  it('is handed to nobody once it was brought, even while others ask', async () => {
    const { app } = running.core;
    const image = await newImage(6);
    const uploads = await Promise.all(diffIdsOf(image).map((diffId) => uploadOf(image, diffId)));
    await ask('n1', image);
    const brought = new Set<string>();
    let begun = 0;
    const bring = uploads.map(async (upload) => {
      await running.agents.n1.uploadLayer(upload);
      brought.add(upload.diffId);
    });
    const asking = Array.from({ length: 30 }, async () => {
      const before = new Set(brought);
      const node = { cluster: 'test', node: `late-${begun++}` };
      const { diffIds } = await missingLayers(app, node, describeImage(image), CATALOGER_VERSION);
      expect(diffIds.filter((diffId) => before.has(diffId))).toEqual([]);
      expect(diffIds).toEqual([]);
    });
    await Promise.all([...bring, ...asking]);
    expect(await leases(image)).toEqual([]);
  });

  it('is not hoarded: a node has so many leases at most, and gets the rest when it is done with those', async () => {
    const { app } = running.core;
    const node = { cluster: 'test', node: 'hoarder' };
    const [first, second] = [await newImage(300), await newImage(300)];
    const askFor = (image: TestImage) => missingLayers(app, node, describeImage(image), CATALOGER_VERSION);
    expect((await askFor(first)).diffIds).toHaveLength(300);
    const more = await askFor(second);
    expect(more.diffIds).toEqual(diffIdsOf(second).slice(0, 212));
    expect(more.leased).toHaveLength(88);
    await holdLayers(app, node, {
      diffIds: diffIdsOf(first),
      catalogerVersion: CATALOGER_VERSION,
      release: true,
    });
    expect((await askFor(second)).diffIds).toHaveLength(300);
  });

  it('is not hoarded by a node that asks for many images at the same moment either', async () => {
    const { app } = running.core;
    const node = { cluster: 'test', node: 'hasty' };
    const images = await Promise.all(Array.from({ length: 8 }, () => newImage(100)));
    const asked = await Promise.all(
      images.map((image) => missingLayers(app, node, describeImage(image), CATALOGER_VERSION)),
    );
    expect(asked.flatMap(({ diffIds }) => diffIds)).toHaveLength(512);
  });

  it('leaves no trace of leases that ran out', async () => {
    const [over, lasting] = [await newImage(1), await newImage(1)];
    await ask('n2', over);
    await ask('n2', lasting);
    await age(over, 3);
    await sweepLeases(running.core.app.database);
    expect(await leases(over)).toEqual([]);
    expect(await leases(lasting)).toEqual([{ node: 'n2' }]);
  });
});

describe('an image that the core knows', () => {
  it('is asked for by its name alone; of any other the core wants to know what it is made of', async () => {
    await using running = await startRunningCore({});
    const image = imageOf(await layerOf({ 'srv/x': 'y' }));
    const { n1, n2 } = running.agents;
    const names = { digest: image.digest, aliases: ['registry.test/app:1'] };
    expect(await n1.missingLayers(names, CATALOGER_VERSION)).toMatchObject({
      diffIds: [],
      leased: [],
      descriptionWanted: true,
    });
    const told = await n1.missingLayers(describeImage(image), CATALOGER_VERSION);
    expect(told).toMatchObject({ diffIds: [image.layers[0]?.diffId], descriptionWanted: false });
    for (const diffId of told.diffIds) await n1.uploadLayer(await uploadOf(image, diffId));
    expect(await n2.missingLayers(names, CATALOGER_VERSION)).toMatchObject({
      diffIds: [],
      leased: [],
      descriptionWanted: false,
    });
  });
});
