import { CATALOGER_VERSION } from '@gatehouse/sbom';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { findImage } from '../../core/datastore/images.ts';
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
  type TestLayer,
  uploadOf,
} from './layers.ts';
import { type RunningCore, startRunningCore, Watcher } from './running-core.ts';

/** Versions of the catalogers that the core does not have itself: of a release before it, or after. */
const OTHER = '1-000000000000';
const ANOTHER = '2-000000000000';

let running: RunningCore;
let feeds: FeedsFolder;
let made = 0;

beforeAll(async () => {
  feeds = await makeFeedsFolder();
  running = await startRunningCore({ feeds: feeds.path });
  await eventually(
    async () => {
      const answer = (await (await fetch(`${running.api}/feeds`)).json()) as {
        feeds: { importedAt: string | null }[];
      };
      expect(answer.feeds.filter(({ importedAt }) => importedAt !== null)).toHaveLength(5);
    },
    { what: 'the feeds to be imported' },
  );
});

afterAll(async () => {
  await running?.[Symbol.asyncDispose]();
  await feeds?.[Symbol.asyncDispose]();
});

const watch = (): Watcher => new Watcher().follow(running.webhook);
const minimist = npmPackage('minimist', '1.2.0');
const vulnerable = (): Promise<TestLayer> => layerOf({ ...debian(), ...minimist, 'srv/n': `${++made}` });
const harmless = (): Promise<TestLayer> => layerOf({ 'srv/harmless': `${++made}` });
const imageNow = ({ digest }: TestImage) => findImage(running.core.app.database, digest);

/** Waits until there is no work left that could change anything. */
async function untilIdle(): Promise<void> {
  const { jobs, database } = running.core.app;
  await eventually(async () => expect(await jobs.pending(database)).toEqual([]), {
    what: 'the work to be done',
  });
}

/** What a liar sends of a layer: that there is nothing in it. */
async function lieAbout(image: TestImage, diffId: string, catalogerVersion: string) {
  const { layers } = imageOf(await harmless());
  const lie = await uploadOf({ ...image, layers }, layers[0]?.diffId ?? '', { catalogerVersion });
  return { ...lie, diffId };
}

async function unreadable(image: TestImage, layer: TestLayer, catalogerVersion: string): Promise<void> {
  await running.agents.n2.missingLayers(describeImage(image), catalogerVersion);
  const report = { diffId: layer.diffId, catalogerVersion, reason: 'it lies nowhere' };
  await running.agents.n2.reportUnreadableLayer(report);
}

async function uploadSbom({ digest }: TestImage): Promise<void> {
  const ms = { type: 'library', name: 'ms', version: '2.0.0', purl: 'pkg:npm/ms@2.0.0' };
  const response = await fetch(`${running.api}/images/${digest}/sbom`, {
    method: 'PUT',
    headers: { 'content-type': 'application/json', authorization: 'Bearer ci' },
    body: JSON.stringify({ bomFormat: 'CycloneDX', specVersion: '1.6', components: [ms] }),
  });
  expect(response.status).toBe(200);
}

describe('what catalogers of another version than the core’s read', () => {
  it('replaces nothing that those of the core’s own version read', async () => {
    await using watcher = watch();
    const image = imageOf(await vulnerable());
    await bring(running.agents.n1, image);
    await watcher.until(image.digest, ({ state, fixable }) => state === 'ready' && fixable.critical === 1);
    const { n2 } = running.agents;
    const { diffIds } = await n2.missingLayers(describeImage(image), OTHER);
    for (const diffId of diffIds) await n2.uploadLayer(await lieAbout(image, diffId, OTHER));
    await n2.missingLayers(describeImage(image), OTHER);
    await untilIdle();
    expect(await imageNow(image)).toMatchObject({ state: 'ready', composedBy: CATALOGER_VERSION });
    expect(watcher.verdictOf(image.digest)).toMatchObject({ state: 'ready', fixable: { critical: 1 } });
  });

  it('counts as long as there is nothing else, and makes way for those as soon as they have read all', async () => {
    await using watcher = watch();
    const image = imageOf(await vulnerable(), await harmless());
    const { n1, n2 } = running.agents;
    await bring(n2, image, [], OTHER);
    await watcher.until(image.digest, ({ state, fixable }) => state === 'ready' && fixable.critical === 1);
    await bring(n1, image, [], ANOTHER);
    await untilIdle();
    expect(await imageNow(image)).toMatchObject({ composedBy: OTHER });
    const [diffId = '', ...others] = (await n1.missingLayers(describeImage(image), CATALOGER_VERSION))
      .diffIds;
    await n1.uploadLayer(await uploadOf(image, diffId));
    await untilIdle();
    expect(await imageNow(image)).toMatchObject({ composedBy: OTHER });
    for (const other of others) await n1.uploadLayer(await uploadOf(image, other));
    await eventually(
      async () => expect(await imageNow(image)).toMatchObject({ composedBy: CATALOGER_VERSION }),
      {
        what: 'the image to be composed anew',
      },
    );
  });

  it('is not heard on layers that those of the core’s own version have read', async () => {
    await using watcher = watch();
    const base = await vulnerable();
    await bring(running.agents.n1, imageOf(base));
    const image = imageOf(base, await harmless());
    const { n2 } = running.agents;
    const { diffIds } = await n2.missingLayers(describeImage(image), OTHER);
    for (const diffId of diffIds) await n2.uploadLayer(await lieAbout(image, diffId, OTHER));
    await watcher.until(image.digest, ({ state, fixable }) => state === 'ready' && fixable.critical === 1);
    expect(await imageNow(image)).toMatchObject({ composedBy: OTHER });
    const exported = await fetch(`${running.api}/images/${image.digest}/sbom?format=cyclonedx`);
    expect(await exported.text()).toContain('pkg:npm/minimist@1.2.0');
  });

  it('fills in, layer by layer, what those of the core’s own version have not read so far', async () => {
    await using watcher = watch();
    const [base, top] = [await vulnerable(), await harmless()];
    const image = imageOf(base, top);
    const { n1, n2 } = running.agents;
    await n1.missingLayers(describeImage(image), CATALOGER_VERSION);
    await n1.uploadLayer(await uploadOf(image, top.diffId));
    await n2.missingLayers(describeImage(image), OTHER);
    await n2.uploadLayer(await uploadOf(image, base.diffId, { catalogerVersion: OTHER }));
    // An old agent brings what the core’s own catalogers have not read so far: with what they have, that is all.
    await watcher.until(image.digest, ({ state, fixable }) => state === 'ready' && fixable.critical === 1);
    expect(await imageNow(image)).toMatchObject({ composedBy: OTHER });
  });

  it('stays the word on an image of which newer catalogers can read less, and no upload takes its place', async () => {
    await using watcher = watch();
    const [base, top] = [await vulnerable(), await harmless()];
    const image = imageOf(base, top);
    await bring(running.agents.n1, image, [], OTHER);
    await watcher.until(image.digest, ({ state, fixable }) => state === 'ready' && fixable.critical === 1);
    for (const layer of [base, top]) await unreadable(image, layer, CATALOGER_VERSION);
    await uploadSbom(image);
    await untilIdle();
    const kept = { state: 'ready', source: 'layers', composedBy: OTHER };
    expect(await imageNow(image)).toMatchObject(kept);
    await running.agents.n1.uploadLayer(await uploadOf(image, top.diffId));
    await untilIdle();
    expect(await imageNow(image)).toMatchObject(kept);
    expect(watcher.verdictOf(image.digest)).toMatchObject({ fixable: { critical: 1 } });
    await running.agents.n1.uploadLayer(await uploadOf(image, base.diffId));
    await eventually(
      async () => expect(await imageNow(image)).toMatchObject({ composedBy: CATALOGER_VERSION }),
      {
        what: 'the image to be composed anew',
      },
    );
  });

  it('stays with what a container showed of an image, until the core’s own catalogers know as much', async () => {
    await using watcher = watch();
    const [base, lost] = [await layerOf({ ...debian(), 'srv/n': `${++made}` }), await harmless()];
    const image = imageOf(base, lost);
    const { n1 } = running.agents;
    await unreadable(image, lost, OTHER);
    await n1.uploadLayer(await uploadOf(image, base.diffId, { catalogerVersion: OTHER }));
    const shown = imageOf(await vulnerable());
    const showRoot = async (catalogerVersion: string): Promise<void> => {
      const upload = await uploadOf(shown, shown.layers[0]?.diffId ?? '', { catalogerVersion });
      const { diffId: _, chainId: __, ...root } = upload;
      await n1.uploadLayer({ ...root, image: image.digest });
    };
    await showRoot(OTHER);
    await watcher.until(image.digest, ({ state, fixable }) => state === 'partial' && fixable.critical === 1);
    await unreadable(image, lost, CATALOGER_VERSION);
    await n1.uploadLayer(await uploadOf(image, base.diffId));
    await untilIdle();
    expect(await imageNow(image)).toMatchObject({ state: 'partial', composedBy: OTHER });
    await showRoot(CATALOGER_VERSION);
    await eventually(
      async () => expect(await imageNow(image)).toMatchObject({ composedBy: CATALOGER_VERSION }),
      {
        what: 'the image to be composed anew',
      },
    );
    expect((await imageNow(image))?.state).toBe('partial');
  });

  it('makes way when a core is updated whose agents were so before, though none of them asks again', async () => {
    await using watcher = watch();
    const image = imageOf(await vulnerable());
    const { database } = running.core.app;
    await bring(running.agents.n1, image, [], OTHER);
    await watcher.until(image.digest, ({ state }) => state === 'ready');
    // The agents of this core's release were there while the core was the older one still.
    await bring(running.agents.n2, image);
    await untilIdle();
    await database.query(`update gatehouse.images set composed_by = $2 where digest = $1`, [
      image.digest,
      OTHER,
    ]);
    await running.restart();
    await eventually(
      async () => expect(await imageNow(image)).toMatchObject({ composedBy: CATALOGER_VERSION }),
      {
        what: 'the image to be composed anew',
      },
    );
  });

  it('is not mixed up with who proves what an image is made of', async () => {
    await using watcher = watch();
    const base = await vulnerable();
    const image = imageOf(base, await harmless());
    const { n1, n2 } = running.agents;
    const told = { ...describeImage(image), diffIds: [base.diffId], config: new Uint8Array() };
    await n1.missingLayers(told, CATALOGER_VERSION);
    await n1.uploadLayer(await uploadOf(image, base.diffId));
    await watcher.until(image.digest, ({ state, fixable }) => state === 'partial' && fixable.critical === 1);
    const { diffIds } = await n2.missingLayers(describeImage(image), OTHER);
    for (const diffId of diffIds) await n2.uploadLayer(await lieAbout(image, diffId, OTHER));
    await untilIdle();
    expect(await imageNow(image)).toMatchObject({
      proven: true,
      state: 'partial',
      composedBy: CATALOGER_VERSION,
    });
    expect(watcher.verdictOf(image.digest)).toMatchObject({ fixable: { critical: 1 } });
    await bring(n1, image);
    await watcher.until(image.digest, ({ state, fixable }) => state === 'ready' && fixable.critical === 1);
  });
});

describe('an image that has a layer twice', () => {
  it('waits for its other layers all the same, and is whole once they are there', async () => {
    await using watcher = watch();
    const [base, empty, bad] = [
      await layerOf({ ...debian(), 'srv/n': `${++made}` }),
      await harmless(),
      await vulnerable(),
    ];
    const image = imageOf(base, empty, bad, empty);
    const { n1 } = running.agents;
    await n1.missingLayers(describeImage(image), CATALOGER_VERSION);
    for (const { diffId } of [base, empty]) await n1.uploadLayer(await uploadOf(image, diffId));
    await uploadSbom(image);
    await watcher.until(image.digest, ({ state }) => state === 'partial');
    expect(await imageNow(image)).toMatchObject({ source: 'upload' });
    await n1.uploadLayer(await uploadOf(image, bad.diffId));
    await watcher.until(image.digest, ({ state, fixable }) => state === 'ready' && fixable.critical === 1);
    expect(await imageNow(image)).toMatchObject({ source: 'layers' });
  });

  it('is composed of what each place of it says, where that depends on the layers below', async () => {
    await using watcher = watch();
    const layer = await vulnerable();
    const image = imageOf(layer, await harmless(), layer);
    const { n1 } = running.agents;
    const opacity = 'chain';
    const { diffIds } = await n1.missingLayers(describeImage(image), CATALOGER_VERSION);
    for (const diffId of diffIds) await n1.uploadLayer(await uploadOf(image, diffId, { opacity }));
    expect(await n1.missingLayers(describeImage(image), CATALOGER_VERSION)).toMatchObject({
      diffIds: [layer.diffId],
    });
    // In its upper place it says less than in its lower one, which counts all the same.
    const upper = imageOf(layer, await harmless(), await harmless());
    const said = await uploadOf(upper, upper.layers[2]?.diffId ?? '', { opacity });
    const { chainId } = await uploadOf(image, layer.diffId, { index: 2 });
    await n1.uploadLayer({ ...said, diffId: layer.diffId, chainId });
    const { fixable } = await watcher.until(image.digest, ({ state }) => state === 'ready');
    expect(fixable.critical).toBe(1);
  });
});
