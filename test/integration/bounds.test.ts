import { CATALOGER_VERSION, encodeFragment, type Fragment } from '@gatehouse/sbom';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { eventually } from '../harness/wait.ts';
import { bring, debian, describe as describeImage, digestOf, imageOf, layerOf, uploadOf } from './layers.ts';
import { type RunningCore, startRunningCore } from './running-core.ts';

let running: RunningCore;

beforeAll(async () => {
  running = await startRunningCore({});
});

afterAll(() => running?.[Symbol.asyncDispose]());

async function shown(image: string): Promise<{ state: string; reason: string | null; packages: number }> {
  const response = await fetch(`${running.api}/image?name=${image}`);
  return (await response.json()) as Awaited<ReturnType<typeof shown>>;
}

/** What is known of an image, once its layers were put together. */
function composed(image: string): ReturnType<typeof shown> {
  return eventually(
    async () => {
      const found = await shown(image);
      if (found.state === 'waiting') throw new Error('it waits');
      return found;
    },
    { what: 'the image to be composed' },
  );
}

/** A fragment as a liar could make it, of a layer that holds next to nothing. */
async function lie(diffId: string, files: readonly string[]) {
  const fragment: Fragment = {
    cataloger: CATALOGER_VERSION,
    opacity: 'exact',
    files: [...files].sort(),
    symlinks: [],
    others: [],
    emptyFolders: [],
    whiteouts: [],
    opaques: [],
    evidence: [],
    owners: [],
    totals: { files: files.length, bytes: 1 },
    problems: [],
  };
  const content = await encodeFragment(fragment);
  const contentDigest = digestOf(content);
  return { diffId, catalogerVersion: CATALOGER_VERSION, chainId: diffId, content, contentDigest };
}

describe('images that a node makes up', () => {
  it('are refused beyond so many, and no other node has to do with that', async () => {
    const { n1, n2 } = running.agents;
    const madeUp = (at: number): string => digestOf(Buffer.from(`made up ${at}`));
    const describe = (digest: string) => ({
      digest,
      platform: 'linux/amd64',
      diffIds: [digestOf(Buffer.from(`of ${digest}`))],
      aliases: [],
      config: new Uint8Array(),
    });
    for (let at = 0; at < 100; at++) await n1.reportFailedImage({ digest: madeUp(at), reason: 'no' });
    for (let at = 100; at < 200; at++) await n1.missingLayers(describe(madeUp(at)), CATALOGER_VERSION);
    const refused = {
      code: 'core_rejected',
      cause: { details: expect.stringMatching(/200 images .* test\/n1/) },
    };
    await expect(n1.reportFailedImage({ digest: madeUp(200), reason: 'no' })).rejects.toMatchObject(refused);
    const one = describe(madeUp(200));
    await expect(n1.missingLayers(one, CATALOGER_VERSION)).rejects.toMatchObject(refused);
    // What it said before stands, and what is proven has no bound of this kind.
    await n1.reportFailedImage({ digest: madeUp(7), reason: 'still no' });
    const image = imageOf(await layerOf({ ...debian(), 'srv/proven': 'x' }));
    await bring(n1, image);
    expect(await composed(image.digest)).toMatchObject({ state: 'ready' });
    expect((await n2.missingLayers(one, CATALOGER_VERSION)).diffIds).toEqual(one.diffIds);
    const [{ count = 0 } = {}] = await running.core.app.database.query<{ count: number }>(
      `select count(*) as count from gatehouse.images where said_by = 'test/n1'`,
    );
    expect(count).toBe(200);
  });
});

describe('an image with more in it than a core can hold', () => {
  it('is known in part, by the layers up to there, and says so', async () => {
    const base = await layerOf(debian('bash 5'));
    const large = await Promise.all([1, 2, 3, 4].map((n) => layerOf({ 'srv/large': `${n}` })));
    const top = await layerOf({ 'usr/share/top': 'x' });
    const image = imageOf(base, ...large, top);
    const { n1 } = running.agents;
    await n1.missingLayers(describeImage(image), CATALOGER_VERSION);
    // Some 40 MB each where images are folded, and a few KB on the way.
    for (const [n, { diffId }] of large.entries()) {
      const files = Array.from({ length: 10_000 }, (_, at) => `${n}-${at}`.padEnd(3_900, 'x'));
      await n1.uploadLayer(await lie(diffId, files));
    }
    for (const { diffId } of [base, top]) await n1.uploadLayer(await uploadOf(image, diffId));
    expect(await composed(image.digest)).toMatchObject({
      state: 'partial',
      packages: 1,
      reason: `layer ${large[3]?.diffId} and all above it: the image has more files and packages than are read of one`,
    });
  });

  it('leaves others in peace', async () => {
    const image = imageOf(await layerOf({ ...debian('bash 5'), 'srv/other': 'x' }));
    await bring(running.agents.n2, image);
    expect(await composed(image.digest)).toMatchObject({ state: 'ready' });
  });
});
