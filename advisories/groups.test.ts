import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { type Finding, type FlawKnowledge, groupHits, type Hit } from './groups.ts';
import { matchAdvisory } from './match.ts';
import { parseAdvisory } from './osv.ts';

interface Told {
  readonly id: string;
  readonly ecosystem?: string;
  readonly aliases?: readonly string[];
  readonly upstream?: readonly string[];
  readonly fixed?: string;
  readonly severity?: string;
}

/** What an advisory says of version 1.0.0 of the package. */
function hit({ id, ecosystem = 'PyPI', aliases = [], upstream = [], fixed, severity }: Told): Hit {
  const advisory = parseAdvisory({
    id,
    modified: '2024-05-01T10:00:00Z',
    published: '2024-04-01T10:00:00Z',
    summary: `as ${id} tells it`,
    aliases,
    upstream,
    affected: [
      {
        package: { ecosystem, name: 'left' },
        ranges: [{ type: 'ECOSYSTEM', events: [{ introduced: '0' }, ...(fixed ? [{ fixed }] : [])] }],
      },
    ],
    database_specific: { severity },
  });
  const match = matchAdvisory(advisory, { ecosystem, name: 'left', version: '1.0.0' });
  if (match === undefined) throw new Error(`${id} does not hold the package`);
  return { advisory, match };
}

const nothingKnown: FlawKnowledge = { knownExploited: new Set() };

function find(told: readonly Told[], knowledge: FlawKnowledge = nothingKnown): readonly Finding[] {
  return groupHits(told.map(hit), knowledge);
}

describe('advisories on the same flaw', () => {
  const ghsa: Told = { id: 'GHSA-1', aliases: ['CVE-1'], fixed: '1.2.0', severity: 'HIGH' };
  const pysec: Told = { id: 'PYSEC-1', aliases: ['CVE-1'], fixed: '1.2.0' };

  it('are one finding', () => {
    expect(find([pysec, ghsa])).toEqual([
      {
        id: 'GHSA-1',
        aliases: ['CVE-1', 'PYSEC-1'],
        covers: [],
        summary: 'as GHSA-1 tells it',
        published: '2024-04-01T10:00:00.000Z',
        severity: 'high',
        cvss: undefined,
        fixedIn: '1.2.0',
        knownExploited: false,
        malware: false,
      },
    ]);
  });

  it('are one finding if only a third connects them', () => {
    const told = [
      { id: 'A-1', aliases: ['CVE-1'] },
      { id: 'B-1', aliases: ['CVE-2'] },
      { id: 'C-1', aliases: ['CVE-1', 'CVE-2'] },
    ];
    expect(find(told).map(({ id, aliases }) => [id, ...aliases])).toEqual([
      ['A-1', 'B-1', 'C-1', 'CVE-1', 'CVE-2'],
    ]);
  });

  it('are told by the ecosystem itself if it says as much as the others', () => {
    expect(find([ghsa, { ...pysec, severity: 'LOW' }])).toMatchObject([{ id: 'PYSEC-1', severity: 'low' }]);
    expect(find([{ ...ghsa, severity: '' }, pysec])).toMatchObject([{ id: 'PYSEC-1' }]);
  });

  it('are told by the one that has a fix and a severity, else with what the others know', () => {
    const told = [
      { ...pysec, severity: 'LOW', fixed: '' },
      { ...ghsa, severity: '' },
    ];
    expect(find(told)).toMatchObject([{ id: 'PYSEC-1', severity: 'low', fixedIn: '1.2.0' }]);
  });

  it('are fixed where the last of them is', () => {
    expect(find([ghsa, { ...pysec, fixed: '1.10.0' }])).toMatchObject([{ id: 'GHSA-1', fixedIn: '1.10.0' }]);
  });

  it('are the same finding in whatever order they come', () => {
    const ids = fc.constantFrom('CVE-1', 'CVE-2', 'CVE-3', 'CVE-4', 'CVE-5', 'CVE-6');
    const told = fc.record({
      aliases: fc.array(ids, { maxLength: 2 }),
      upstream: fc.array(ids, { maxLength: 3 }),
      fixed: fc.constantFrom('', '1.1.0', '1.9.0', '1.10.0'),
      severity: fc.constantFrom('', 'LOW', 'CRITICAL'),
    });
    fc.assert(
      fc.property(fc.array(told, { maxLength: 7 }), (list) => {
        const named = list.map((each, at) => ({ ...each, id: `${at % 2 ? 'PYSEC' : 'GHSA'}-${at}` }));
        expect(find(named.toReversed())).toEqual(find(named));
      }),
    );
  });
});

describe("a distribution's advisory", () => {
  const debian = { ecosystem: 'Debian:12', fixed: '1.0.1-1' };
  const bundle: Told = { ...debian, id: 'DSA-2-1', upstream: ['CVE-2', 'CVE-1'] };
  const [first, second]: readonly [Told, Told] = [
    { ...debian, id: 'DEBIAN-CVE-1', upstream: ['CVE-1'] },
    { ...debian, id: 'DEBIAN-CVE-2', upstream: ['CVE-2'] },
  ];

  it('is a finding of the flaw if it names one', () => {
    expect(find([{ ...bundle, upstream: ['CVE-1'] }, first])).toMatchObject([
      { id: 'DEBIAN-CVE-1', aliases: ['CVE-1', 'DSA-2-1'], covers: [] },
    ]);
  });

  it('is a finding of its own if it names several, which are then no aliases', () => {
    expect(find([bundle, first])).toMatchObject([
      { id: 'DEBIAN-CVE-1', aliases: ['CVE-1'], covers: [] },
      { id: 'DSA-2-1', aliases: [], covers: ['CVE-1', 'CVE-2'] },
    ]);
  });

  it('says nothing new if each flaw that it names is a finding already', () => {
    expect(find([bundle, first, second]).map(({ id }) => id)).toEqual(['DEBIAN-CVE-1', 'DEBIAN-CVE-2']);
  });

  it('is as bad as the worst of its flaws where it does not say itself', () => {
    const scoreOfCve = (id: string) =>
      new Map([
        ['CVE-1', { severity: 'high', cvss: 8.1 } as const],
        ['CVE-2', { severity: 'critical', cvss: 9.8 } as const],
      ]).get(id);
    const knowledge = { ...nothingKnown, scoreOfCve };
    expect(find([bundle], knowledge)).toMatchObject([{ severity: 'critical', cvss: 9.8 }]);
    expect(find([first], knowledge)).toMatchObject([{ severity: 'high', cvss: 8.1 }]);
    expect(find([{ ...first, severity: 'LOW' }], knowledge)).toMatchObject([
      { severity: 'low', cvss: undefined },
    ]);
    expect(find([bundle])).toMatchObject([{ severity: 'unknown', cvss: undefined }]);
  });

  it('is known to be exploited if any of its flaws is', () => {
    const knownExploited = new Set(['CVE-2']);
    expect(find([bundle, first], { knownExploited })).toMatchObject([
      { id: 'DEBIAN-CVE-1', knownExploited: false },
      { id: 'DSA-2-1', knownExploited: true },
    ]);
  });
});

it('tells malware from flaws', () => {
  const told = [
    { id: 'MAL-2024-1' },
    { id: 'GHSA-2', aliases: ['MAL-2024-2'], fixed: '1.1.0', severity: 'HIGH' },
  ];
  expect(find([...told, { id: 'GHSA-3' }]).map(({ id, malware }) => [id, malware])).toEqual([
    ['GHSA-2', true],
    ['GHSA-3', false],
    ['MAL-2024-1', true],
  ]);
});
