import { rm, truncate } from 'node:fs/promises';
import { request } from 'node:http';
import { CATALOGER_VERSION } from '@gatehouse/sbom';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type FeedsFolder, makeFeedsFolder } from '../fixtures/feeds.ts';
import type { PostgresVersion } from '../harness/postgres.ts';
import { eventually } from '../harness/wait.ts';
import {
  bring,
  debian,
  describe as describeImage,
  digestOf,
  imageOf,
  layerOf,
  npmPackage,
  uploadOf,
} from './layers.ts';
import { type RunningCore, startRunningCore, Watcher } from './running-core.ts';

interface Feed {
  readonly name: string;
  readonly records: number;
  readonly importedAt: string | null;
  readonly problem: string | null;
}

/** An advisory of our own on a package that no real one speaks of. */
const leftpad = (fixed: string) => ({
  id: 'TEST-1',
  modified: '2026-01-01T00:00:00Z',
  affected: [
    {
      package: { ecosystem: 'npm', name: 'left-pad-test' },
      ranges: [{ type: 'SEMVER', events: [{ introduced: '0' }, { fixed }] }],
      database_specific: { severity: 'CRITICAL' },
    },
  ],
  database_specific: { severity: 'CRITICAL' },
});

describe.each<PostgresVersion>(['18', '15'])('the core on PostgreSQL %s', (postgres) => {
  let running: RunningCore;
  let feeds: FeedsFolder;

  beforeAll(async () => {
    feeds = await makeFeedsFolder();
    running = await startRunningCore({ feeds: feeds.path, postgres });
    await eventually(
      async () => {
        const imported = (await listFeeds()).filter((feed) => feed.importedAt !== null);
        expect(imported.map((feed) => feed.name)).toEqual(['Debian', 'Go', 'PyPI', 'kev', 'npm']);
      },
      { what: 'the feeds to be imported' },
    );
  });

  afterAll(async () => {
    await running?.[Symbol.asyncDispose]();
    await feeds?.[Symbol.asyncDispose]();
  });

  async function listFeeds(): Promise<readonly Feed[]> {
    return ((await (await fetch(`${running.api}/feeds`)).json()) as { feeds: Feed[] }).feeds;
  }

  /** Has the feeds imported, and waits for it. */
  async function refresh(feed: string): Promise<void> {
    const before = (await listFeeds()).find(({ name }) => name === feed)?.importedAt;
    expect((await fetch(`${running.api}/feeds/refresh`, { method: 'POST' })).status).toBe(202);
    await eventually(
      async () => {
        expect((await listFeeds()).find(({ name }) => name === feed)?.importedAt).not.toBe(before);
      },
      { what: `the feed ${feed} to be imported again` },
    );
  }

  const watch = (): Watcher => new Watcher().follow(running.webhook);

  it('gives a verdict on an image once it has all layers, by the advisories of all ecosystems', async () => {
    await using watcher = watch();
    const image = imageOf(
      await layerOf(debian('libmodbus5 3.1.6-2.1 libmodbus', 'apt 2.6.1')),
      await layerOf({ ...npmPackage('minimist', '1.2.0'), ...npmPackage('jquery', '3.4.1') }),
    );
    await bring(running.agents.n1, image, ['registry.test/app:1']);
    const verdict = await watcher.until(image.digest, () => true);
    expect(verdict).toMatchObject({
      state: 'ready',
      os: { id: 'debian', versionId: '12' },
      knownExploited: 1,
    });
    expect(verdict.fixable.critical).toBe(1);
    expect(verdict.findings.map(({ purl, fixedIn }) => `${purl} ${fixedIn}`)).toEqual(
      expect.arrayContaining([
        'pkg:npm/minimist@1.2.0 1.2.6',
        'pkg:npm/jquery@3.4.1 3.5.0',
        expect.stringMatching(/^pkg:deb\/debian\/libmodbus5@3\.1\.6-2\.1\?.* 3\.1\.6-2\.1\+deb12u1$/),
        expect.stringMatching(/^pkg:deb\/debian\/apt@2\.6\.1\?.* null$/),
      ]),
    );
    expect(verdict.findings[0]).toMatchObject({ knownExploited: true });
    expect(watcher.aliasesOf(image.digest)).toEqual(['registry.test/app:1']);
  });

  it('asks only for the layers that it lacks, and for none of a known image', async () => {
    const base = await layerOf({ ...debian('bash 5'), 'etc/base': 'shared' });
    const top = await layerOf({ 'srv/app': 'one' });
    const other = await layerOf({ 'srv/app': 'two' });
    expect(await bring(running.agents.n1, imageOf(base, top))).toEqual([base.diffId, top.diffId]);
    expect(await bring(running.agents.n2, imageOf(base, other))).toEqual([other.diffId]);
    expect(await bring(running.agents.n2, imageOf(base, top))).toEqual([]);
  });

  it('gives a verdict on an image that has one layer twice', async () => {
    await using watcher = watch();
    const layer = await layerOf({ ...debian(), ...npmPackage('minimist', '1.2.0') });
    const image = imageOf(layer, layer);
    await bring(running.agents.n1, image);
    expect((await watcher.until(image.digest, () => true)).fixable.critical).toBe(1);
  });

  it('folds the layers: what an upper layer removes has no findings', async () => {
    await using watcher = watch();
    const vulnerable = await layerOf({ ...debian(), ...npmPackage('minimist', '1.2.0') });
    const removed = imageOf(vulnerable, await layerOf({ 'srv/node_modules/.wh.minimist': '' }));
    await bring(running.agents.n1, removed);
    const verdict = await watcher.until(removed.digest, () => true);
    expect(verdict.findings).toEqual([]);
  });

  it('leaves what Debian packages brought along to the word of Debian', async () => {
    await using watcher = watch();
    const path = 'srv/node_modules/minimist/package.json';
    const files = { ...debian('node-minimist 1.2.0-1'), ...npmPackage('minimist', '1.2.0') };
    const list = { 'var/lib/dpkg/info/node-minimist.list': `/.\n/srv\n/${path}\n` };
    const owned = imageOf(await layerOf({ ...files, ...list }));
    const overwritten = imageOf(
      await layerOf({ ...files, ...list }),
      await layerOf(npmPackage('minimist', '1.2.0')),
    );
    await bring(running.agents.n1, owned);
    await bring(running.agents.n1, overwritten);
    expect((await watcher.until(owned.digest, () => true)).findings).toEqual([]);
    expect((await watcher.until(overwritten.digest, () => true)).fixable.critical).toBe(1);
  });

  it('tells a new advisory at once, and takes it back when it goes', async () => {
    await using watcher = watch();
    const image = imageOf(await layerOf({ ...debian(), ...npmPackage('left-pad-test', '1.0.0') }));
    await bring(running.agents.n1, image);
    await watcher.until(image.digest, ({ counts }) => counts.critical === 0);
    await feeds.put('npm', leftpad('1.0.1'));
    await refresh('npm');
    const denied = await watcher.until(image.digest, ({ fixable }) => fixable.critical === 1);
    expect(denied.findings[0]).toMatchObject({ id: 'TEST-1', fixedIn: '1.0.1' });
    await feeds.remove('npm', 'TEST-1');
    await refresh('npm');
    await watcher.until(image.digest, ({ counts }) => counts.critical === 0);
  });

  it('moves only the verdicts that an import changes', async () => {
    await using watcher = watch();
    const touched = imageOf(await layerOf({ ...debian(), ...npmPackage('left-pad-test', '2.0.0') }));
    const untouched = imageOf(await layerOf({ ...debian(), ...npmPackage('something-else', '1.0.0') }));
    await bring(running.agents.n1, touched);
    await bring(running.agents.n1, untouched);
    await watcher.until(touched.digest, () => true);
    const { revision } = await watcher.until(untouched.digest, () => true);
    await feeds.put('npm', leftpad('2.0.1'));
    await refresh('npm');
    await watcher.until(touched.digest, ({ counts }) => counts.critical === 1);
    expect(watcher.verdictOf(untouched.digest)?.revision).toBe(revision);
    await feeds.remove('npm', 'TEST-1');
    await refresh('npm');
    await watcher.until(touched.digest, ({ counts }) => counts.critical === 0);
  });

  it('follows a tag that a node pulled anew, and leaves the digest with the old image', async () => {
    await using watcher = watch();
    const old = imageOf(await layerOf({ ...debian(), 'srv/version': 'old' }));
    const fresh = imageOf(await layerOf({ ...debian(), 'srv/version': 'fresh' }));
    const digest = `registry.test/moving@sha256:${'1'.repeat(64)}`;
    const { n1 } = running.agents;
    const report = (images: { digest: string; aliases: string[] }[]) =>
      n1.reportNode({ runtime: 'test 1', images, containers: [] });
    await bring(n1, old, ['registry.test/moving:1', digest]);
    await bring(n1, fresh);
    await report([{ digest: old.digest, aliases: ['registry.test/moving:1', digest] }]);
    await eventually(() => expect(watcher.aliasesOf(old.digest)).toHaveLength(2), { what: 'both names' });
    await report([
      { digest: old.digest, aliases: [digest] },
      { digest: fresh.digest, aliases: ['registry.test/moving:1'] },
    ]);
    await eventually(
      () => {
        expect(watcher.aliasesOf(fresh.digest)).toEqual(['registry.test/moving:1']);
        expect(watcher.aliasesOf(old.digest)).toEqual([digest]);
      },
      { what: 'the tag to move' },
    );
  });

  it('does not let a node that appears with an old copy of a tag move it back', async () => {
    await using watcher = watch();
    const old = imageOf(await layerOf({ ...debian(), 'srv/edition': 'old' }));
    const fresh = imageOf(await layerOf({ ...debian(), 'srv/edition': 'fresh' }));
    await bring(running.agents.n1, fresh, ['registry.test/steady:1']);
    await bring(running.agents.n1, old);
    await watcher.until(fresh.digest, () => true);
    // The second node has not said a word so far.
    await running.core.app.database.query(`delete from gatehouse.nodes where name = 'n2'`);
    await running.agents.n2.reportNode({
      runtime: 'test 1',
      images: [{ digest: old.digest, aliases: ['registry.test/steady:1'] }],
      containers: [],
    });
    const image = await (await fetch(`${running.api}/image?name=registry.test/steady:1`)).json();
    expect(image).toMatchObject({ digest: fresh.digest });
  });

  it('names the images of a node that it knows nothing of', async () => {
    const image = imageOf(await layerOf({ 'srv/unseen': 'yes' }));
    const report = { runtime: 'test 1', images: [{ digest: image.digest, aliases: [] }], containers: [] };
    expect(await running.agents.n2.reportNode(report)).toEqual([image.digest]);
    await bring(running.agents.n2, image);
    expect(await running.agents.n2.reportNode(report)).toEqual([]);
  });

  it('says how many containers a node runs', async () => {
    const image = digestOf(Buffer.from('an image of containers'));
    const container = { name: 'main', namespace: 'shop', pod: 'cart', podUid: 'u', image };
    await running.agents.n2.reportNode({
      runtime: 'test 1',
      images: [{ digest: image, aliases: [] }],
      containers: [
        { ...container, id: 'first', running: true },
        { ...container, id: 'second', running: true },
        { ...container, id: 'ended', running: false },
      ],
    });
    const { nodes } = (await (await fetch(`${running.api}/nodes`)).json()) as {
      nodes: readonly { name: string; containers: number }[];
    };
    expect(nodes.find(({ name }) => name === 'n2')).toMatchObject({ containers: 2 });
  });

  it('takes in the first of what a node reports, and does not refuse it for being too much', async () => {
    const digests = Array.from({ length: 5_001 }, (_, index) => digestOf(Buffer.from(`${index}`)));
    const images = digests.map((digest) => ({ digest, aliases: [] }));
    const report = { runtime: 'test 1', images, containers: [] };
    expect(await running.agents.n2.reportNode(report)).toEqual(digests.slice(0, 5_000).sort());
  });

  it('does not ask for an image that was given up, which would be tried without an end', async () => {
    const image = imageOf(await layerOf({ 'srv/given-up': 'yes' }));
    const report = { runtime: 'test 1', images: [{ digest: image.digest, aliases: [] }], containers: [] };
    await running.agents.n2.reportFailedImage({ digest: image.digest, reason: 'it stumbles' });
    expect(await running.agents.n2.reportNode(report)).toEqual([]);
  });

  it('goes on without a layer that cannot be read, and asks another node for it', async () => {
    await using watcher = watch();
    const readable = await layerOf({ ...debian(), ...npmPackage('minimist', '1.2.0') });
    const lost = await layerOf(npmPackage('jquery', '3.4.1'));
    const image = imageOf(readable, lost);
    const { n1, n2 } = running.agents;
    expect((await n1.missingLayers(describeImage(image), CATALOGER_VERSION)).diffIds).toContain(lost.diffId);
    await n1.uploadLayer(await uploadOf(image, readable.diffId));
    const reason = 'the node has not kept the blob';
    await n1.reportUnreadableLayer({ diffId: lost.diffId, catalogerVersion: CATALOGER_VERSION, reason });
    const partial = await watcher.until(image.digest, ({ state }) => state === 'partial');
    expect(partial).toMatchObject({ fixable: { critical: 1 }, knownExploited: 0 });
    const found = (await (await fetch(`${running.api}/image?name=${image.digest}`)).json()) as {
      reason: string;
    };
    expect(found.reason).toContain(reason);

    // Who asks again may have it by now.
    expect(await bring(n2, image)).toEqual([lost.diffId]);
    const whole = await watcher.until(image.digest, ({ state }) => state === 'ready');
    expect(whole.knownExploited).toBe(1);
  });

  it('takes what a container of an image shows for more than its layers prove, never for less', async () => {
    await using watcher = watch();
    const readable = await layerOf({ ...debian(), ...npmPackage('minimist', '1.2.0') });
    const lost = await layerOf({ 'srv/lost': 'yes' });
    const image = imageOf(readable, lost);
    const { n1, n2 } = running.agents;
    const asked = await n1.missingLayers(describeImage(image), CATALOGER_VERSION);
    expect(asked.rootWanted).toBe(true);
    for (const diffId of asked.diffIds.filter((each) => each !== lost.diffId))
      await n1.uploadLayer(await uploadOf(image, diffId));
    const reason = 'it lies nowhere';
    await n1.reportUnreadableLayer({ diffId: lost.diffId, catalogerVersion: CATALOGER_VERSION, reason });
    await watcher.until(image.digest, ({ state }) => state === 'partial');

    const shown = imageOf(await layerOf(npmPackage('jquery', '3.4.1')));
    const { diffId: _, chainId: __, ...root } = await uploadOf(shown, shown.layers[0]?.diffId ?? '');
    await n1.uploadLayer({ ...root, image: image.digest });
    const partial = await watcher.until(image.digest, ({ knownExploited }) => knownExploited === 1);
    expect(partial).toMatchObject({ state: 'partial', fixable: { critical: 1 }, os: { id: 'debian' } });
    const found = await (await fetch(`${running.api}/image?name=${image.digest}`)).json();
    expect(found).toMatchObject({
      reason: `layer ${lost.diffId}: ${reason}. What a running container of the image shows was read instead, where the container may have hidden or added things`,
    });
    // It is asked for once, for no two containers show the same.
    expect(await n2.missingLayers(describeImage(image), CATALOGER_VERSION)).toMatchObject({
      diffIds: [lost.diffId],
      rootWanted: false,
    });
    await n2.uploadLayer(await uploadOf(image, lost.diffId));
    const whole = await watcher.until(image.digest, ({ state }) => state === 'ready');
    expect(whole).toMatchObject({ fixable: { critical: 1 }, knownExploited: 0 });
    await expect(n1.uploadLayer({ ...root, image: digestOf(Buffer.from('unknown')) })).rejects.toMatchObject({
      code: 'core_rejected',
    });
  });

  it('takes an image for known in part only where a whole database could not be read', async () => {
    await using watcher = watch();
    const image = imageOf(await layerOf({ ...debian(), 'var/lib/dpkg/status': 'Package: bash\n' }));
    await bring(running.agents.n1, image);
    await watcher.until(image.digest, ({ state }) => state === 'partial');
    const found = await (await fetch(`${running.api}/image?name=${image.digest}`)).json();
    expect(found).toMatchObject({ state: 'partial', reason: expect.stringContaining('var/lib/dpkg/status') });
  });

  it('believes no node what an image is made of, but its configuration', async () => {
    await using watcher = watch();
    const base = await layerOf(debian());
    const vulnerable = await layerOf(npmPackage('minimist', '1.2.0'));
    const image = imageOf(base, vulnerable);
    const { n1, n2 } = running.agents;
    const lie = { ...describeImage(image), diffIds: [base.diffId], config: new Uint8Array() };
    const answer = await n1.missingLayers(lie, CATALOGER_VERSION);
    expect(answer.descriptionWanted).toBe(true);
    for (const diffId of answer.diffIds) await n1.uploadLayer(await uploadOf(image, diffId));
    await watcher.until(image.digest, ({ state }) => state === 'partial');

    await bring(n2, image);
    await watcher.until(image.digest, ({ state, fixable }) => state === 'ready' && fixable.critical === 1);
    expect(await n1.missingLayers(lie, CATALOGER_VERSION)).toMatchObject({
      diffIds: [],
      leased: [],
      descriptionWanted: false,
    });
    const forged = { ...describeImage(image), config: Buffer.from('{}') };
    await expect(n1.missingLayers(forged, CATALOGER_VERSION)).rejects.toMatchObject({
      code: 'core_rejected',
    });
  });

  it('keeps a digest with every image that nodes have by it, for one of them may lie', async () => {
    await using watcher = watch();
    const truth = imageOf(await layerOf({ ...debian(), ...npmPackage('minimist', '1.2.0') }));
    const other = imageOf(await layerOf({ ...debian(), 'etc/other': 'x' }));
    const name = `registry.test/two@sha256:${'7'.repeat(64)}`;
    await bring(running.agents.n1, truth, [name]);
    await bring(running.agents.n2, other, [name]);
    for (const { digest } of [truth, other]) {
      await watcher.until(digest, () => watcher.aliasesOf(digest).includes(name));
    }
  });

  it('says that an image failed of which nothing could be read', async () => {
    await using watcher = watch();
    const image = imageOf(await layerOf({ 'srv/gone': 'x' }));
    const { n1 } = running.agents;
    const { diffIds } = await n1.missingLayers(describeImage(image), CATALOGER_VERSION);
    const [diffId = ''] = diffIds;
    await n1.reportUnreadableLayer({ diffId, catalogerVersion: CATALOGER_VERSION, reason: 'no' });
    expect(await watcher.until(image.digest, () => true)).toMatchObject({ state: 'failed' });
  });

  it('says why a node has given an image up, until some node brings it', async () => {
    await using watcher = watch();
    const image = imageOf(await layerOf({ ...debian(), 'srv/given-up': 'x' }));
    const { n1, n2 } = running.agents;
    const find = async () => (await fetch(`${running.api}/image?name=${image.digest}`)).json();
    // It may be that nobody knows even what it is made of; and what went wrong can be long.
    await n1.reportFailedImage({ digest: image.digest, reason: `the runtime stumbles ${'x'.repeat(2_000)}` });
    expect(await watcher.until(image.digest, () => true)).toMatchObject({ state: 'failed' });
    expect(await find()).toMatchObject({
      state: 'failed',
      reason: expect.stringMatching(/^test\/n1: the runtime stumbles/),
    });
    await bring(n2, image);
    await watcher.until(image.digest, ({ state }) => state === 'ready');
    await n1.reportFailedImage({ digest: image.digest, reason: 'late' });
    expect(await find()).toMatchObject({ state: 'ready', reason: null });
  });

  it('goes on where a watcher was, without a gap or a repetition', async () => {
    await using watcher = watch();
    await watcher.untilCaughtUp();
    const images = await Promise.all(
      [1, 2, 3].map(async (n) => imageOf(await layerOf({ ...debian(), 'srv/n': `${n} ${postgres}` }))),
    );
    for (const image of images.slice(0, 2)) await bring(running.agents.n1, image);
    for (const image of images.slice(0, 2)) await watcher.until(image.digest, () => true);
    await running.restart();
    const last = images[2] as (typeof images)[0];
    await bring(running.agents.n1, last);
    await watcher.until(last.digest, () => true);
    expect(watcher.resets).toHaveLength(1);
    const revisions = watcher.told.map(({ revision }) => revision);
    expect(revisions).toEqual([...new Set(revisions)].sort((a, b) => a - b));
  });

  it('tells of images with all the names that there may be, however many they are', async () => {
    const long = (n: number): string => `registry.test/${'long-'.repeat(90)}name:${n}`;
    const layer = await layerOf(debian());
    await using watcher = watch();
    for (let image = 0; image < 80; image++) {
      const names = Array.from({ length: 128 }, (_, n) => long(1000 * image + n));
      const top = await layerOf({ [`etc/${image}`]: 'x' });
      await bring(running.agents.n2, imageOf(layer, top), names);
    }
    await eventually(
      async () => expect(watcher.told.filter(({ aliases }) => aliases.length === 128).length).toBe(80),
      { what: 'all images to be told' },
    );
    // A watcher that comes later is told all of them at once.
    await using late = watch();
    await late.untilCaughtUp();
    expect(late.told.filter(({ aliases }) => aliases.length === 128)).toHaveLength(80);
  });

  it('has a watcher of another store begin anew', async () => {
    const watcher = new Watcher();
    watcher.apply([], { store: 'another', revision: 1_000_000 }, true);
    await using _following = watcher.follow(running.webhook);
    await eventually(() => expect(watcher.told.length).toBeGreaterThan(0), { what: 'the verdicts' });
    expect(watcher.resets).toHaveLength(1);
  });

  it('has a watcher that is ahead of a restored store begin anew', async () => {
    const [store] = await running.core.app.database.query<{ id: string }>('select id from gatehouse.store');
    const watcher = new Watcher();
    watcher.apply([], { store: store?.id ?? '', revision: 1_000_000 }, true);
    await using _following = watcher.follow(running.webhook);
    await eventually(() => expect(watcher.told.length).toBeGreaterThan(0), { what: 'the verdicts' });
    expect(watcher.position().revision).toBeLessThan(1_000_000);
  });

  describe('refuses', () => {
    it('a layer of an image that nobody has named', async () => {
      const image = imageOf(await layerOf({ 'srv/unannounced': 'x' }));
      const upload = await uploadOf(image, image.layers[0]?.diffId ?? '');
      await expect(running.agents.n1.uploadLayer(upload)).rejects.toMatchObject({ code: 'core_rejected' });
    });

    it('an upload whose content is not what was announced, or no fragment', async () => {
      const image = imageOf(await layerOf({ 'srv/broken': 'x' }));
      const { n1 } = running.agents;
      const { diffIds } = await n1.missingLayers(describeImage(image), CATALOGER_VERSION);
      const [diffId = ''] = diffIds;
      const upload = await uploadOf(image, diffId);
      const wrong = { ...upload, contentDigest: `sha256:${'0'.repeat(64)}` };
      await expect(n1.uploadLayer(wrong)).rejects.toMatchObject({ code: 'core_rejected' });
      const garbage = Buffer.from('no fragment');
      const other = { ...upload, content: garbage, contentDigest: digestOf(garbage) };
      await expect(n1.uploadLayer(other)).rejects.toMatchObject({ code: 'core_rejected' });
      await n1.uploadLayer(upload);
    });

    it('names that are none, saying which', async () => {
      const image = { digest: 'latest', platform: 'linux/amd64', diffIds: [], aliases: [] };
      await expect(running.agents.n1.missingLayers(image, CATALOGER_VERSION)).rejects.toMatchObject({
        code: 'core_rejected',
        cause: expect.objectContaining({ details: expect.stringContaining('image.digest') }),
      });
    });

    it('a webhook that acts as an agent, an agent that acts as a webhook, and a stranger', async () => {
      const image = imageOf(await layerOf({ 'srv/role': 'x' }));
      await expect(
        running.webhook.missingLayers(describeImage(image), CATALOGER_VERSION),
      ).rejects.toMatchObject({
        code: 'core_refused',
      });
      await using watcher = new Watcher().follow(running.agents.n1);
      await eventually(() => expect(watcher.interruptions).toBeGreaterThan(0), { what: 'the refusal' });
      expect(watcher.told).toEqual([]);
    });

    it('to let a page of the web read the API through its own name for this machine', async () => {
      const { hostname, port } = new URL(running.api);
      const status = await new Promise((resolve) => {
        request(
          { hostname, port, path: '/api/v1/images', headers: { host: `evil.example:${port}` } },
          (response) => resolve(response.resume().statusCode),
        ).end();
      });
      expect(status).toBe(401);
    });
  });

  it('keeps the first word of two nodes that say different things of a layer', async () => {
    await using watcher = watch();
    const honest = await layerOf({ ...debian(), ...npmPackage('minimist', '1.2.0'), 'srv/contested': 'x' });
    const image = imageOf(honest);
    const { n1, n2 } = running.agents;
    await bring(n1, image);
    await watcher.until(image.digest, ({ counts }) => counts.critical === 1);
    const harmless = imageOf(await layerOf(debian()));
    const lie = { ...(await uploadOf(harmless, harmless.layers[0]?.diffId ?? '')), diffId: honest.diffId };
    await n2.uploadLayer(lie);
    expect(await bring(n2, image)).toEqual([]);
    expect(watcher.verdictOf(image.digest)?.counts.critical).toBe(1);
  });

  it('answers people in problem documents', async () => {
    const response = await fetch(`${running.api}/image?name=registry.test/none:1`);
    expect(response.status).toBe(404);
    expect(response.headers.get('content-type')).toContain('application/problem+json');
    expect(await response.json()).toMatchObject({ title: 'not_found', status: 404 });
  });

  it('keeps the last good feed when a feed is broken, and says so', async () => {
    const before = (await listFeeds()).find(({ name }) => name === 'npm')?.records;
    await truncate(`${feeds.path}/npm/all.zip`, 100);
    await fetch(`${running.api}/feeds/refresh`, { method: 'POST' });
    await eventually(
      async () =>
        expect((await listFeeds()).find(({ name }) => name === 'npm')?.problem).toMatch(/npm\/all\.zip/),
      { what: 'the problem to be noted' },
    );
    expect((await listFeeds()).find(({ name }) => name === 'npm')?.records).toBe(before);
    await feeds.remove('npm', 'TEST-1');
    await refresh('npm');
  });
});

describe('a core whose advisories are not all there yet', () => {
  let running: RunningCore;
  let feeds: FeedsFolder;

  beforeAll(async () => {
    feeds = await makeFeedsFolder();
    await truncate(`${feeds.path}/npm/all.zip`, 100);
    await rm(`${feeds.path}/PyPI`, { recursive: true });
    running = await startRunningCore({ feeds: feeds.path });
  });

  afterAll(async () => {
    await running?.[Symbol.asyncDispose]();
    await feeds?.[Symbol.asyncDispose]();
  });

  it('judges no image that they could be about, and says what is missing', async () => {
    await using watcher = new Watcher().follow(running.webhook);
    const waiting = imageOf(await layerOf({ ...debian(), ...npmPackage('minimist', '1.2.0') }));
    const other = imageOf(await layerOf(debian('apt 2.6.1')));
    await bring(running.agents.n1, waiting);
    await bring(running.agents.n1, other);
    await watcher.until(other.digest, ({ state }) => state === 'ready');
    await eventually(
      async () => {
        const listed = (await (await fetch(`${running.api}/feeds`)).json()) as { feeds: Feed[] };
        const [npm] = listed.feeds.filter(({ name }) => name === 'npm');
        expect(npm).toMatchObject({ importedAt: null, problem: expect.stringContaining('npm/all.zip') });
        expect(listed.feeds.map(({ name }) => name)).not.toContain('PyPI');
      },
      { what: 'the broken feed to be listed' },
    );
    const image = await (await fetch(`${running.api}/image?name=${waiting.digest}`)).json();
    expect(image).toMatchObject({ state: 'ready', verdict: null });
    expect(watcher.verdictOf(waiting.digest)).toBeUndefined();

    await feeds.remove('npm', 'TEST-1');
    await fetch(`${running.api}/feeds/refresh`, { method: 'POST' });
    await watcher.until(waiting.digest, ({ fixable }) => fixable.critical === 1);
  });
});
