import { CATALOGER_VERSION, decodeFragment, encodeFragment, type Package } from '@gatehouse/sbom';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type FeedsFolder, makeFeedsFolder } from '../fixtures/feeds.ts';
import { eventually } from '../harness/wait.ts';
import {
  bring,
  debian,
  describe as describeImage,
  digestOf,
  imageOf,
  layerOf,
  npmPackage,
  OS_RELEASE,
  type TestImage,
  uploadOf,
} from './layers.ts';
import { type RunningCore, startRunningCore, Watcher } from './running-core.ts';

/** An advisory of our own on a package that no real one speaks of. */
const advisory = {
  id: 'TEST-SHARED-1',
  modified: '2026-01-01T00:00:00Z',
  affected: [
    {
      package: { ecosystem: 'npm', name: 'shared-test' },
      ranges: [{ type: 'SEMVER', events: [{ introduced: '0' }, { fixed: '2.0.0' }] }],
    },
  ],
  database_specific: { severity: 'CRITICAL' },
};

/** A root with a package that was built again from a source. */
function rebuilt(source: string): Record<string, string> {
  const fields = [
    'Package: libmodbus5',
    'Status: install ok installed',
    'Version: 3.1.6-2.1+b1',
    `Source: ${source}`,
  ];
  return { ...OS_RELEASE, 'var/lib/dpkg/status': `${fields.join('\n')}\n` };
}

describe('packages that images share', () => {
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

  const watch = (): Watcher => new Watcher().follow(running.webhook);

  async function imageWith(files: Readonly<Record<string, string>>): Promise<TestImage> {
    return imageOf(await layerOf({ ...files, 'etc/one-of-many': `${++next}` }));
  }

  /** Brings an image of one layer, with its packages changed as only a node could that lies. */
  async function bringChanged(image: TestImage, change: (each: Package) => Package): Promise<void> {
    const { n2 } = running.agents;
    await n2.missingLayers(describeImage(image), CATALOGER_VERSION);
    const upload = await uploadOf(image, image.layers[0]?.diffId ?? '');
    const fragment = await decodeFragment(upload.content);
    const evidence = fragment.evidence.map((each) => ({ ...each, packages: each.packages.map(change) }));
    const content = await encodeFragment({ ...fragment, evidence });
    await n2.uploadLayer({ ...upload, content, contentDigest: digestOf(content) });
  }

  async function untilIdle(): Promise<void> {
    const { jobs, database } = running.core.app;
    await eventually(async () => expect(await jobs.pending(database)).toEqual([]), {
      what: 'the work to be done',
    });
  }

  async function findingsOf(image: TestImage): Promise<string[]> {
    const shown = await (await fetch(`${running.api}/image?name=${image.digest}`)).json();
    return (shown as { findings: { id: string }[] }).findings.map(({ id }) => id).sort();
  }

  it.each<[string, Record<string, string>, Record<string, string>]>([
    [
      'a name with a slash too many',
      npmPackage('minimist', '1.2.0'),
      { 'srv/node_modules/minimist/package.json': '{"name":"/minimist","version":"1.2.0"}' },
    ],
    [
      'a source that has the version in its name',
      rebuilt('libmodbus (3.1.6-2.1)'),
      rebuilt('libmodbus@3.1.6-2.1'),
    ],
  ])('keep their findings, whatever another image makes of %s', async (_what, files, others) => {
    await using watcher = watch();
    const honest = await imageWith({ ...OS_RELEASE, ...files });
    await bring(running.agents.n1, honest);
    await watcher.until(honest.digest, () => true);
    const before = await findingsOf(honest);
    expect(before).not.toEqual([]);
    const hostile = await imageWith({ ...OS_RELEASE, ...others });
    await bring(running.agents.n2, hostile);
    await watcher.until(hostile.digest, () => true);
    await untilIdle();
    expect(await findingsOf(hostile)).toEqual([]);
    expect(await findingsOf(honest)).toEqual(before);
  });

  it('hear of later advisories, though another image says that they were never released', async () => {
    await using watcher = watch();
    const honest = await imageWith({ ...debian(), ...npmPackage('shared-test', '1.0.0') });
    await bring(running.agents.n1, honest);
    await watcher.until(honest.digest, () => true);
    const hostile = await imageWith({ ...debian(), ...npmPackage('shared-test', '1.0.0') });
    await bringChanged(hostile, (each) => ({ ...each, unreleased: true }));
    await watcher.until(hostile.digest, () => true);
    await untilIdle();
    await feeds.put('npm', advisory);
    await fetch(`${running.api}/feeds/refresh`, { method: 'POST' });
    const verdict = await watcher.until(honest.digest, ({ fixable }) => fixable.critical > 0);
    expect(verdict.findings.map(({ id }) => id)).toEqual([advisory.id]);
  });

  it('make an image known in part where one has a name without end, and cost it nothing else', async () => {
    await using watcher = watch();
    const name = '\u6f22'.repeat(1_000);
    const long = { 'srv/node_modules/long/package.json': JSON.stringify({ name, version: '1.0.0' }) };
    const image = await imageWith({ ...OS_RELEASE, ...npmPackage('minimist', '1.2.0'), ...long });
    await bring(running.agents.n1, image);
    const verdict = await watcher.until(image.digest, () => true);
    expect(verdict).toMatchObject({ state: 'partial', fixable: { critical: 1 } });
    const shown = await (await fetch(`${running.api}/image?name=${image.digest}`)).json();
    expect(shown).toMatchObject({
      packages: 1,
      reason: expect.stringMatching(
        /^srv\/node_modules\/long\/package\.json: a package is left out: its package URL/,
      ),
    });
  });
});
