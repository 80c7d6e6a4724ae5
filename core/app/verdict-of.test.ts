import { severities } from '@gatehouse/policies';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { ImageFinding } from '../datastore/findings.ts';
import type { ImageRow } from '../datastore/images.ts';
import { verdictOf, worstFirst } from './verdict-of.ts';

const image: ImageRow = {
  digest: 'sha256:a',
  platform: 'linux/amd64',
  diffIds: [],
  proven: true,
  state: 'ready',
  reason: null,
  source: 'layers',
  os: { id: 'debian', versionId: '12' },
  composedAt: new Date('2026-01-02T03:04:05Z'),
  composedBy: 'v1',
};

function finding(changes: Partial<ImageFinding>): ImageFinding {
  return {
    image: image.digest,
    purl: 'pkg:npm/a@1',
    layer: 'sha256:l',
    locations: [],
    id: 'CVE-1',
    aliases: [],
    covers: [],
    summary: '',
    published: null,
    severity: 'medium',
    cvss: null,
    fixedIn: null,
    malware: false,
    cves: [],
    loaded: false,
    knownExploited: false,
    ...changes,
  };
}

describe('a verdict', () => {
  it('counts findings by severity, and those with a fix apart', () => {
    const verdict = verdictOf(
      image,
      [
        finding({ severity: 'critical', fixedIn: '2' }),
        finding({ severity: 'critical' }),
        finding({ severity: 'low', knownExploited: true }),
        finding({ severity: 'unknown', malware: true }),
      ],
      new Date('2026-01-01T00:00:00Z'),
    );
    expect(verdict).toMatchObject({
      state: 'ready',
      counts: { critical: 2, high: 0, medium: 0, low: 1, unknown: 1 },
      fixable: { critical: 1, high: 0, medium: 0, low: 0, unknown: 0 },
      knownExploited: 1,
      malware: 1,
      os: { id: 'debian', versionId: '12', endOfLife: '2028-06-30' },
      asOf: { sbom: '2026-01-02T03:04:05.000Z', feeds: '2026-01-01T00:00:00.000Z' },
    });
  });

  it('says no end of life of a system that has none, or that is not known', () => {
    const endOf = (os: ImageRow['os']) => verdictOf({ ...image, os }, [], undefined).os.endOfLife;
    expect(endOf({ id: 'arch' })).toBeNull();
    expect(endOf({ id: 'debian', versionId: '99' })).toBeNull();
    expect(endOf(null)).toBeNull();
  });

  it('names the twenty worst: attacks, then what is exploited, then by severity, mendable ones first', () => {
    const many = Array.from({ length: 30 }, (_, n) => finding({ id: `CVE-${n}`, severity: 'low' }));
    const verdict = verdictOf(
      image,
      [
        ...many,
        finding({ id: 'high', severity: 'high', cvss: 8.9 }),
        finding({ id: 'mendable', severity: 'critical', cvss: 9.1, fixedIn: '2' }),
        finding({ id: 'hopeless', severity: 'critical', cvss: 10 }),
        finding({ id: 'exploited', severity: 'low', knownExploited: true }),
        finding({ id: 'MAL-1', severity: 'unknown', malware: true }),
      ],
      undefined,
    );
    expect(verdict.findings).toHaveLength(20);
    expect(verdict.findings.slice(0, 5).map(({ id }) => id)).toEqual([
      'MAL-1',
      'exploited',
      'mendable',
      'hopeless',
      'high',
    ]);
  });

  it('is the same in whatever order the findings come', () => {
    const arbitrary = fc.record({
      id: fc.constantFrom('CVE-1', 'CVE-2', 'GHSA-3'),
      purl: fc.constantFrom('pkg:npm/a@1', 'pkg:npm/b@1'),
      severity: fc.constantFrom(...severities),
      cvss: fc.constantFrom(null, 5, 9.8),
      fixedIn: fc.constantFrom(null, '2'),
      knownExploited: fc.boolean(),
      malware: fc.boolean(),
    });
    fc.assert(
      fc.property(fc.array(arbitrary.map(finding), { maxLength: 30 }), (findings) => {
        const inOrder = findings.toSorted(worstFirst);
        expect(verdictOf(image, inOrder.toReversed(), undefined)).toEqual(
          verdictOf(image, inOrder, undefined),
        );
      }),
    );
  });
});
