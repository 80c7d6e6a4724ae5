import {
  type Advisory,
  type CatalogedPackage,
  type Feeds,
  type Finding,
  groupHits,
  matchAdvisory,
  openFeeds,
  packageKeys,
} from '@gatehouse/advisories';
import { describe, expect, it } from 'vitest';
import { makeFeedsFolder } from '../fixtures/feeds.ts';
import { startFeedServer } from '../harness/feed-server.ts';

const bookworm = { id: 'debian', versionId: '12' };

interface KnownAdvisories {
  readonly byPackage: ReadonlyMap<string, readonly Advisory[]>;
  readonly knownExploited: ReadonlySet<string>;
}

const keyOf = (ecosystem: string, name: string): string => `${ecosystem} ${name}`;

async function readAll(feeds: Feeds): Promise<KnownAdvisories> {
  const all: Advisory[] = [];
  for (const feed of feeds.ecosystems) {
    const opened = await feed.open();
    if (typeof opened === 'string') throw new Error(`the feed of ${feed.ecosystem} is ${opened}`);
    await using open = opened;
    const reading = open.records();
    for await (const { advisory } of reading) all.push(advisory);
    expect(reading.problems).toEqual([]);
  }
  const entries = all.flatMap((advisory) =>
    advisory.affected.map(({ ecosystem, name }) => ({ advisory, key: keyOf(ecosystem, name) })),
  );
  const byPackage = new Map<string, Advisory[]>();
  for (const [key, list] of Map.groupBy(entries, (entry) => entry.key)) {
    byPackage.set(key, [...new Set(list.map(({ advisory }) => advisory))]);
  }
  const catalog = await feeds.knownExploited.open();
  if (typeof catalog === 'string') throw new Error(`the catalog is ${catalog}`);
  return { byPackage, knownExploited: catalog.cves };
}

function findingsOf(
  found: CatalogedPackage,
  { byPackage, knownExploited }: KnownAdvisories,
): readonly Finding[] {
  return packageKeys(found, bookworm).flatMap((key) => {
    const advisories = byPackage.get(keyOf(key.ecosystem, key.name)) ?? [];
    const hits = advisories.flatMap((advisory) => {
      const match = matchAdvisory(advisory, key);
      return match === undefined ? [] : [{ advisory, match }];
    });
    return groupHits(hits, { knownExploited });
  });
}

/** Packages as the test images hold them, with what the fixtures say of them. */
const expected: readonly { found: CatalogedPackage; findings: readonly Partial<Finding>[] }[] = [
  {
    found: { type: 'npm', name: 'lodash', version: '4.17.15' },
    findings: [
      { id: 'GHSA-35jh-r3h4-6jhm', severity: 'high', cvss: 7.2, fixedIn: '4.17.21' },
      { id: 'GHSA-p6mc-m468-83gw', severity: 'high', cvss: 7.4, fixedIn: '4.17.19' },
    ],
  },
  { found: { type: 'npm', name: 'lodash', version: '4.17.21' }, findings: [] },
  {
    found: { type: 'npm', name: 'minimist', version: '1.2.0' },
    findings: [
      { id: 'GHSA-vh95-rmgr-6w4m', severity: 'medium', cvss: 5.6, fixedIn: '1.2.3' },
      { id: 'GHSA-xvch-5gv4-984h', severity: 'critical', cvss: 9.8, fixedIn: '1.2.6' },
    ],
  },
  {
    found: { type: 'npm', name: 'jquery', version: '3.4.1' },
    findings: [{ id: 'GHSA-jpcq-cgw6-v4j6', severity: 'medium', fixedIn: '3.5.0', knownExploited: true }],
  },
  {
    found: { type: 'pypi', name: 'Jinja2', version: '2.10' },
    findings: [
      {
        id: 'GHSA-462w-v97r-4m45',
        aliases: ['CVE-2019-10906', 'PYSEC-2019-217'],
        severity: 'high',
        cvss: 8.6,
        fixedIn: '2.10.1',
      },
    ],
  },
  {
    found: { type: 'pypi', name: 'urllib3', version: '1.26.4' },
    findings: [
      { id: 'PYSEC-2021-108', severity: 'unknown', fixedIn: '1.26.5' },
      { id: 'PYSEC-2023-192', severity: 'high', cvss: 8.1, fixedIn: '1.26.17' },
    ],
  },
  {
    found: { type: 'golang', name: 'golang.org/x/text', version: 'v0.3.5' },
    findings: [{ id: 'GO-2021-0113', fixedIn: '0.3.7' }],
  },
  {
    found: { type: 'golang', name: 'stdlib', version: 'go1.22.3' },
    findings: [{ id: 'GO-2024-2887', fixedIn: '1.22.4' }],
  },
  {
    found: {
      type: 'deb',
      name: 'libmodbus5',
      version: '3.1.6-2.1',
      source: { name: 'libmodbus', version: '3.1.6-2.1' },
    },
    findings: [{ id: 'DLA-4714-1', aliases: ['CVE-2024-10918'], covers: [], fixedIn: '3.1.6-2.1+deb12u1' }],
  },
  {
    found: {
      type: 'deb',
      name: 'libxfont2',
      version: '1:2.0.6-1',
      source: { name: 'libxfont', version: '1:2.0.6-1' },
    },
    findings: [
      {
        id: 'DLA-4678-1',
        aliases: [],
        covers: ['CVE-2026-56001', 'CVE-2026-56002', 'CVE-2026-56003'],
        fixedIn: '1:2.0.6-1+deb12u1',
      },
    ],
  },
  {
    found: { type: 'deb', name: 'apt', version: '2.6.1', source: { name: 'apt', version: '2.6.1' } },
    findings: [{ id: 'DEBIAN-CVE-2011-3374', severity: 'low', cvss: 3.7, fixedIn: undefined }],
  },
];

describe('real packages and the facts of real advisories', () => {
  it('give the findings that those advisories are about', async () => {
    await using folder = await makeFeedsFolder();
    const known = await readAll(await openFeeds(folder.path));
    for (const { found, findings } of expected) {
      expect({ found, findings: findingsOf(found, known) }).toMatchObject({ found, findings });
    }
  });

  it('give the same findings when the feeds come from a server, which is asked in vain once they are read', async () => {
    await using folder = await makeFeedsFolder();
    await using server = await startFeedServer(folder.path);
    const feeds = await openFeeds(server.url);
    const [fromServer, fromFolder] = [await readAll(feeds), await readAll(await openFeeds(folder.path))];
    for (const { found } of expected) {
      expect(findingsOf(found, fromServer)).toEqual(findingsOf(found, fromFolder));
    }
    const npm = feeds.ecosystems.find(({ ecosystem }) => ecosystem === 'npm');
    const first = await npm?.open();
    if (first === undefined || typeof first === 'string') throw new Error(`the feed is ${first}`);
    await using open = first;
    expect(await npm?.open(open.fingerprint)).toBe('unchanged');
    expect(server.served.at(-1)).toEqual({ path: '/npm/all.zip', status: 304 });
  });

  it('change with the feed', async () => {
    await using folder = await makeFeedsFolder();
    const lodash = { type: 'npm', name: 'lodash', version: '4.17.21' };
    await folder.put('npm', {
      id: 'GHSA-0000-0000-0001',
      modified: '2026-01-01T00:00:00Z',
      affected: [
        {
          package: { ecosystem: 'npm', name: 'lodash' },
          ranges: [{ type: 'SEMVER', events: [{ introduced: '0' }] }],
        },
      ],
    });
    const known = await readAll(await openFeeds(folder.path));
    expect(findingsOf(lodash, known).map(({ id }) => id)).toEqual(['GHSA-0000-0000-0001']);
    await folder.remove('npm', 'GHSA-0000-0000-0001');
    expect(findingsOf(lodash, await readAll(await openFeeds(folder.path)))).toEqual([]);
  });
});
