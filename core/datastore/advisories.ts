import type { Advisory, Score } from '@gatehouse/advisories';
import type { Sql } from './database.ts';
import type { PackageKey } from './packages.ts';

/** An advisory as it is kept, with what it is found by. */
export interface AdvisoryRecord {
  readonly advisory: Advisory;
  readonly contentHash: string;
  readonly keys: readonly { ecosystem: string; name: string }[];
  readonly scores: readonly { cve: string; score: Score }[];
}

/** The content hash of each advisory that is kept of a feed. */
export async function advisoryHashes(sql: Sql, feed: string): Promise<Map<string, string>> {
  const rows = await sql.query<{ id: string; hash: string }>(
    `select id, content_hash as hash from gatehouse.advisories where feed = $1`,
    [feed],
  );
  return new Map(rows.map(({ id, hash }) => [id, hash]));
}

/** What the advisories are found by now: to be looked at again when they change or go. */
export async function keysOfAdvisories(
  sql: Sql,
  feed: string,
  ids: readonly string[],
): Promise<{ keys: { ecosystem: string; name: string }[]; cves: string[] }> {
  const keys = await sql.query<{ ecosystem: string; name: string }>(
    `select distinct key_ecosystem as ecosystem, key_name as name from gatehouse.affected
     where feed = $1 and advisory_id = any($2)`,
    [feed, ids],
  );
  const cves = await sql.query<{ cve: string }>(
    `select distinct cve from gatehouse.scores where feed = $1 and advisory_id = any($2)`,
    [feed, ids],
  );
  return { keys, cves: cves.map(({ cve }) => cve) };
}

export async function deleteAdvisories(sql: Sql, feed: string, ids: readonly string[]): Promise<void> {
  await sql.query(`delete from gatehouse.advisories where feed = $1 and id = any($2)`, [feed, ids]);
}

/** Keeps advisories; those of the same id must have been deleted before. */
export async function insertAdvisories(
  sql: Sql,
  feed: string,
  records: readonly AdvisoryRecord[],
): Promise<void> {
  await sql.query(
    `insert into gatehouse.advisories (feed, id, content_hash, body)
     select $1, * from unnest($2::text[], $3::text[], $4::jsonb[])`,
    [
      feed,
      records.map(({ advisory }) => advisory.id),
      records.map(({ contentHash }) => contentHash),
      records.map(({ advisory }) => JSON.stringify(advisory)),
    ],
  );
  const keys = records.flatMap(({ advisory, keys }) => keys.map((key) => ({ id: advisory.id, ...key })));
  await sql.query(
    `insert into gatehouse.affected (key_ecosystem, key_name, feed, advisory_id)
     select ecosystem, name, $1, id from unnest($2::text[], $3::text[], $4::text[]) as key (ecosystem, name, id)
     on conflict do nothing`,
    [feed, keys.map(({ ecosystem }) => ecosystem), keys.map(({ name }) => name), keys.map(({ id }) => id)],
  );
  const scores = records.flatMap(({ advisory, scores }) =>
    scores.map((each) => ({ id: advisory.id, ...each })),
  );
  await sql.query(
    `insert into gatehouse.scores (cve, feed, advisory_id, severity, cvss)
     select cve, $1, id, severity, cvss
     from unnest($2::text[], $3::text[], $4::text[], $5::real[]) as score (cve, id, severity, cvss)
     on conflict do nothing`,
    [
      feed,
      scores.map(({ cve }) => cve),
      scores.map(({ id }) => id),
      scores.map(({ score }) => score.severity),
      scores.map(({ score }) => score.cvss ?? null),
    ],
  );
}

/** The advisories that speak of packages by these keys, beside each key. */
export function advisoriesByKey(
  sql: Sql,
  keys: readonly { ecosystem: string; name: string }[],
): Promise<(Pick<PackageKey, 'ecosystem' | 'name'> & { advisory: Advisory })[]> {
  return sql.query(
    `select affected.key_ecosystem as ecosystem, affected.key_name as name, advisory.body as advisory
     from gatehouse.affected affected
     join gatehouse.advisories advisory on advisory.feed = affected.feed and advisory.id = affected.advisory_id
     where (affected.key_ecosystem, affected.key_name) in (select * from unnest($1::text[], $2::text[]))`,
    [keys.map(({ ecosystem }) => ecosystem), keys.map(({ name }) => name)],
  );
}

/** What advisories that do say how bad a CVE is say of these. */
export function scoresOfCves(sql: Sql, cves: readonly string[]): Promise<({ cve: string } & Score)[]> {
  return sql.query(
    `select cve, severity, cvss from gatehouse.scores where cve = any($1) order by cve, feed, advisory_id`,
    [cves],
  );
}
