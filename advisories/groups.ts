import { compareVersions, findEcosystem } from './ecosystems/table.ts';
import type { Match } from './match.ts';
import type { Advisory } from './osv.ts';
import { compareScores, type Score, type Severity, severityOf } from './severity.ts';
import { compareText } from './versions/order.ts';

/** An advisory that holds the package in question. */
export interface Hit {
  readonly advisory: Pick<Advisory, 'id' | 'aliases' | 'upstream' | 'published' | 'summary' | 'severity'>;
  readonly match: Match;
}

/** One flaw of one package, whatever number of databases speak of it. */
export interface Finding {
  readonly id: string;
  /** The other ids of the same flaw, sorted. */
  readonly aliases: readonly string[];
  /**
   * The flaws that one update of a distribution mends together, sorted; empty where the finding is a single flaw. They
   * are no aliases: what is decided about one of them must not count for the others.
   */
  readonly covers: readonly string[];
  readonly summary: string;
  readonly published: string | undefined;
  readonly severity: Severity;
  readonly cvss: number | undefined;
  readonly fixedIn: string | undefined;
  readonly knownExploited: boolean;
  /** The package itself is the attack; reported under ids that begin with `MAL-`. */
  readonly malware: boolean;
}

/** What is known of flaws beyond the advisories that hold the package. */
export interface FlawKnowledge {
  /** The CVE ids that are known to be exploited. */
  readonly knownExploited: ReadonlySet<string>;
  /** For the advisories of distributions, which rarely say how bad a flaw is. */
  readonly scoreOfCve?: (cve: string) => Score | undefined;
}

/**
 * The findings of one package: advisories that share an id, directly or through others, are one. A distribution's
 * advisory stands for a flaw if it names exactly one upstream; one that names several is a finding of its own,
 * unless each of them is a finding already. Sorted by id; the order of the hits does not matter.
 */
export function groupHits(hits: readonly Hit[], knowledge: FlawKnowledge): readonly Finding[] {
  const groups = withoutCovered(mergeBySharedIds(hits));
  return groups.map((group) => toFinding(group, knowledge)).sort((a, b) => compareText(a.id, b.id));
}

interface Group {
  readonly ids: ReadonlySet<string>;
  readonly hits: readonly [Hit, ...Hit[]];
}

function mergeBySharedIds(hits: readonly Hit[]): readonly Group[] {
  const groupOf = new Map<string, Group>();
  for (const hit of hits) {
    const ids = idsOf(hit);
    const met = [...new Set(ids.map((id) => groupOf.get(id)).filter((group) => group !== undefined))];
    const group: Group = {
      ids: new Set([...met.flatMap((each) => [...each.ids]), ...ids]),
      hits: [hit, ...met.flatMap((each) => each.hits)],
    };
    for (const id of group.ids) groupOf.set(id, group);
  }
  return [...new Set(groupOf.values())];
}

function idsOf({ advisory }: Hit): readonly string[] {
  return [advisory.id, ...advisory.aliases, ...(isBundle(advisory) ? [] : advisory.upstream)];
}

function isBundle({ upstream }: Hit['advisory']): boolean {
  return upstream.length > 1;
}

/** Debian's feed has a record for each flaw beside those for its updates; counting both would count every flaw twice. */
function withoutCovered(groups: readonly Group[]): readonly Group[] {
  const bundles = new Set(groups.filter(({ hits }) => hits.every(({ advisory }) => isBundle(advisory))));
  const single = new Set(groups.filter((group) => !bundles.has(group)).flatMap(({ ids }) => [...ids]));
  return groups.filter((group) => !bundles.has(group) || !coveredIds(group).every((id) => single.has(id)));
}

function coveredIds({ hits }: Group): readonly string[] {
  const bundles = hits.map(({ advisory }) => advisory).filter(isBundle);
  return [...new Set(bundles.flatMap(({ upstream }) => upstream))].sort(compareText);
}

function toFinding(group: Group, knowledge: FlawKnowledge): Finding {
  const [hit, ...more] = group.hits;
  const first = rank(hit);
  const others = more.map(rank);
  const best = others.reduce(better, first);
  const covers = coveredIds(group);
  const flaws = [...group.ids, ...covers];
  const score = firstKnown([
    [best.score],
    [first, ...others].map((each) => each.score),
    flaws.map((id) => knowledge.scoreOfCve?.(id)).filter((each) => each !== undefined),
  ]);
  const { id, summary, published } = best.hit.advisory;
  return {
    id,
    aliases: [...group.ids].filter((each) => each !== id).sort(compareText),
    covers,
    summary,
    published,
    ...score,
    fixedIn: lastFix(group.hits),
    knownExploited: flaws.some((flaw) => knowledge.knownExploited.has(flaw)),
    malware: flaws.some((flaw) => flaw.startsWith('MAL-')),
  };
}

interface RankedHit {
  readonly hit: Hit;
  readonly score: Score;
  readonly rank: number;
}

/** Most of all a finding should say what to do and how urgent it is; then the ecosystem's own database knows best. */
function rank(hit: Hit): RankedHit {
  const score = severityOf(hit.advisory, hit.match.affected);
  const hasFix = Number(hit.match.fixedIn !== undefined);
  const hasSeverity = Number(score.severity !== 'unknown');
  const prefixes = findEcosystem(hit.match.affected.ecosystem)?.ownIds ?? [];
  const isOwn = Number(prefixes.some((prefix) => hit.advisory.id.startsWith(prefix)));
  return { hit, score, rank: 8 * hasFix * hasSeverity + 4 * isOwn + 2 * hasFix + hasSeverity };
}

/** Ids are unique, so of two there is always one. */
function better(a: RankedHit, b: RankedHit): RankedHit {
  return (b.rank - a.rank || compareText(a.hit.advisory.id, b.hit.advisory.id)) <= 0 ? a : b;
}

/** The worst score of the first source that has any. */
function firstKnown(sources: readonly (readonly Score[])[]): Score {
  const worst = sources
    .map((scores) => scores.toSorted(compareScores)[0])
    .filter((score) => score !== undefined);
  return worst.find(({ severity }) => severity !== 'unknown') ?? { severity: 'unknown', cvss: undefined };
}

/** The newest of the fixes: databases differ, and with an older one some record would still hold the package. */
function lastFix(hits: readonly Hit[]): string | undefined {
  let last: string | undefined;
  for (const { match } of hits) {
    const fix = match.fixedIn;
    if (fix === undefined) continue;
    if (last === undefined || compareVersions(match.affected.ecosystem, fix, last) > 0) last = fix;
  }
  return last;
}
