import {
  MAX_VERDICT_FINDINGS,
  type SeverityCounts,
  severities,
  type Verdict,
  type VerdictFinding,
} from '@gatehouse/policies';
import { endOfLife } from '@gatehouse/sbom';
import type { ImageFinding } from '../datastore/findings.ts';
import type { ImageRow } from '../datastore/images.ts';

/** What an image's findings come to. The revision is given when the verdict is written. */
export function verdictOf(
  image: ImageRow,
  findings: readonly ImageFinding[],
  feedsAsOf: Date | undefined,
): Verdict {
  if (image.state === 'waiting') throw new Error(`image ${image.digest} has no contents to judge`);
  const sorted = findings.toSorted(worstFirst);
  return {
    state: image.state,
    revision: 0,
    asOf: { sbom: image.composedAt?.toISOString() ?? null, feeds: feedsAsOf?.toISOString() ?? null },
    counts: countBySeverity(sorted),
    fixable: countBySeverity(sorted.filter(({ fixedIn }) => fixedIn !== null)),
    knownExploited: sorted.filter(({ knownExploited }) => knownExploited).length,
    malware: sorted.filter(({ malware }) => malware).length,
    waived: 0,
    os: {
      id: image.os?.id ?? null,
      versionId: image.os?.versionId ?? null,
      endOfLife: (image.os && endOfLife(image.os)) ?? null,
    },
    attestations: [],
    findings: sorted.slice(0, MAX_VERDICT_FINDINGS).map(toVerdictFinding),
  };
}

/**
 * From the worst on: what is an attack itself, what is being exploited, then by severity, what can be mended before
 * what cannot, then by score; names last, so that the order is always the same.
 */
export function worstFirst(a: ImageFinding, b: ImageFinding): number {
  return (
    Number(b.malware) - Number(a.malware) ||
    Number(b.knownExploited) - Number(a.knownExploited) ||
    severities.indexOf(a.severity) - severities.indexOf(b.severity) ||
    Number(b.fixedIn !== null) - Number(a.fixedIn !== null) ||
    (b.cvss ?? 0) - (a.cvss ?? 0) ||
    compare(a.id, b.id) ||
    compare(a.purl, b.purl)
  );
}

function compare(a: string, b: string): number {
  return a < b ? -1 : Number(a > b);
}

function countBySeverity(findings: readonly ImageFinding[]): SeverityCounts {
  const counts: SeverityCounts = { critical: 0, high: 0, medium: 0, low: 0, unknown: 0 };
  for (const { severity } of findings) counts[severity]++;
  return counts;
}

function toVerdictFinding(finding: ImageFinding): VerdictFinding {
  return {
    id: finding.id,
    aliases: [...finding.aliases],
    purl: finding.purl,
    severity: finding.severity,
    cvss: finding.cvss,
    fixedIn: finding.fixedIn,
    knownExploited: finding.knownExploited,
    published: finding.published,
    loaded: finding.loaded,
  };
}
