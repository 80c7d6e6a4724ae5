import { groupHits, type Hit, matchAdvisory, type Score } from '@gatehouse/advisories';
import { advisoriesByKey, scoresOfCves } from '../datastore/advisories.ts';
import type { Sql } from '../datastore/database.ts';
import { type FindingRecord, packagesWithCves, replaceFindings } from '../datastore/findings.ts';
import {
  imagesToJudge,
  imagesWithPackages,
  keysOfPackages,
  type PackageRow,
  packagesByKey,
  setMatched,
} from '../datastore/packages.ts';
import { markKeys, markVerdicts, takeCves, takeKeys } from '../datastore/stale.ts';
import type { App } from './app.ts';

/** Looks up the advisories of all packages whose key is stale, until none is; then the images touched are judged. */
export async function rematchPackages(app: App, signal: AbortSignal): Promise<void> {
  // An image may have waited for advisories only, and those that came in may say nothing of its packages.
  await app.database.transaction(async (sql) => markVerdicts(sql, await imagesToJudge(sql)));
  while (!signal.aborted && (await rematchBatch(app))) {
    // On to the next batch.
  }
}

/** Works off one batch; false if there was none. */
async function rematchBatch(app: App): Promise<boolean> {
  return app.database.transaction(async (sql) => {
    const cves = await takeCves(sql);
    const touched = await packagesWithCves(sql, cves);
    // Whether a CVE is exploited is looked up when an image is judged; how bad it is goes into findings.
    await markVerdicts(sql, await imagesWithPackages(sql, touched));
    await markKeys(sql, await keysOfPackages(sql, touched));

    const keys = await takeKeys(sql);
    const packages = await packagesByKey(sql, keys);
    const changed = await matchPackages(sql, keys, packages);
    const first = await setMatched(
      sql,
      packages.map(({ id }) => id),
    );
    await markVerdicts(sql, await imagesWithPackages(sql, [...changed, ...first]));
    await app.jobs.send(sql, 'judge-images', {});
    return cves.length > 0 || keys.length > 0;
  });
}

/** Replaces the findings of packages by what the advisories say now; gives the packages for which that changed. */
async function matchPackages(
  sql: Sql,
  keys: readonly { ecosystem: string; name: string }[],
  packages: readonly PackageRow[],
): Promise<number[]> {
  const advisories = Map.groupBy(
    await advisoriesByKey(sql, keys),
    ({ ecosystem, name }) => `${ecosystem}\n${name}`,
  );
  const hits = packages.map(({ id, key }) => {
    const candidates = key ? (advisories.get(`${key.ecosystem}\n${key.name}`) ?? []) : [];
    return { id, hits: candidates.flatMap(({ advisory }) => hitOf(advisory, key)) };
  });
  const scoreOfCve = await knownScores(
    sql,
    hits.flatMap((each) => each.hits),
  );
  const findings = hits.flatMap(({ id, hits }) =>
    groupHits(hits, { knownExploited: new Set(), scoreOfCve }).map((finding) => ({
      packageId: id,
      ...toRecord(finding),
    })),
  );
  return replaceFindings(
    sql,
    packages.map(({ id }) => id),
    findings,
  );
}

function hitOf(
  advisory: Hit['advisory'] & Parameters<typeof matchAdvisory>[0],
  key: PackageRow['key'],
): Hit[] {
  const match = key ? matchAdvisory(advisory, key) : undefined;
  return match ? [{ advisory, match }] : [];
}

/** How bad other advisories say that the flaws are, for distributions that do not say. */
async function knownScores(sql: Sql, hits: readonly Hit[]): Promise<(cve: string) => Score | undefined> {
  const cves = new Set(
    hits.flatMap(({ advisory }) => [advisory.id, ...advisory.aliases, ...advisory.upstream]).filter(isCve),
  );
  const scores = new Map<string, Score>();
  for (const { cve, severity, cvss } of await scoresOfCves(sql, [...cves])) {
    const known = scores.get(cve);
    if (!known || (cvss ?? 0) > (known.cvss ?? 0)) scores.set(cve, { severity, cvss: cvss ?? undefined });
  }
  return (cve) => scores.get(cve);
}

function toRecord(finding: ReturnType<typeof groupHits>[number]): FindingRecord {
  const { id, aliases, covers, summary, severity, malware } = finding;
  return {
    id,
    aliases,
    covers,
    summary,
    published: finding.published ?? null,
    severity,
    cvss: finding.cvss ?? null,
    fixedIn: finding.fixedIn ?? null,
    malware,
    cves: [id, ...aliases, ...covers].filter(isCve),
  };
}

export function isCve(id: string): boolean {
  return id.startsWith('CVE-');
}
