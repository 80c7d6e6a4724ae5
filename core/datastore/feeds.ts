import type { Sql } from './database.ts';

/** A feed as it was imported last. */
export interface FeedRow {
  readonly name: string;
  readonly fingerprint: string;
  readonly asOf: Date | null;
  readonly records: number;
  readonly skipped: number;
  readonly importedAt: Date;
  readonly checkedAt: Date;
  readonly problem: string | null;
}

export function listFeeds(sql: Sql): Promise<FeedRow[]> {
  return sql.query<FeedRow>(
    `select name, fingerprint, as_of as "asOf", records, skipped, imported_at as "importedAt",
       checked_at as "checkedAt", problem
     from gatehouse.feeds order by name`,
  );
}

/** Locks a feed until the transaction ends, so that two imports of it come one after the other. */
export async function lockFeed(sql: Sql, name: string): Promise<void> {
  await sql.query('select pg_advisory_xact_lock(hashtextextended($1, 7415923))', [name]);
}

export async function upsertFeed(
  sql: Sql,
  feed: Pick<FeedRow, 'name' | 'fingerprint' | 'asOf' | 'records' | 'skipped'>,
): Promise<void> {
  await sql.query(
    `insert into gatehouse.feeds (name, fingerprint, as_of, records, skipped, imported_at, checked_at)
     values ($1, $2, $3, $4, $5, now(), now())
     on conflict (name) do update set fingerprint = excluded.fingerprint, as_of = excluded.as_of,
       records = excluded.records, skipped = excluded.skipped, imported_at = now(), checked_at = now(), problem = null`,
    [feed.name, feed.fingerprint, feed.asOf, feed.records, feed.skipped],
  );
}

/** Notes that a feed was looked at and had nothing new, or what was wrong with it. */
export async function noteFeedCheck(sql: Sql, name: string, problem: string | undefined): Promise<void> {
  await sql.query(`update gatehouse.feeds set checked_at = now(), problem = $2 where name = $1`, [
    name,
    problem ?? null,
  ]);
}

/** Makes these the known exploited CVEs; gives those that were added or taken away. */
export async function replaceKnownExploited(sql: Sql, cves: readonly string[]): Promise<string[]> {
  const rows = await sql.query<{ cve: string }>(
    `with gone as (
       delete from gatehouse.known_exploited where cve <> all($1::text[]) returning cve
     ), added as (
       insert into gatehouse.known_exploited (cve) select distinct * from unnest($1::text[]) on conflict do nothing
       returning cve
     )
     select cve from gone union select cve from added`,
    [cves],
  );
  return rows.map((row) => row.cve);
}
