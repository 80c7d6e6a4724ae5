import type { Sql } from './database.ts';

/** A feed as it was imported last. */
export interface FeedRow {
  readonly name: string;
  readonly fingerprint: string;
  readonly asOf: Date | null;
  readonly records: number;
  readonly skipped: number;
  /** Null, like `asOf`, if it could never be read so far. */
  readonly importedAt: Date | null;
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

/** Notes that there may be such feeds: images with packages of theirs have no verdict until they were read. */
export async function awaitFeeds(sql: Sql, names: readonly string[]): Promise<void> {
  await sql.query(
    `insert into gatehouse.feeds (name, fingerprint, records, skipped, checked_at)
     select name, '', 0, 0, now() from unnest($1::text[]) as name order by 1 on conflict do nothing`,
    [names],
  );
}

/** Notes that there is no such feed to wait for; says whether it was waited for. */
export async function forgetAwaitedFeed(sql: Sql, name: string): Promise<boolean> {
  const rows = await sql.query(
    `delete from gatehouse.feeds where name = $1 and imported_at is null returning name`,
    [name],
  );
  return rows.length > 0;
}

/** Notes that a feed was looked at and had nothing new. */
export async function noteFeedCheck(sql: Sql, name: string): Promise<void> {
  await sql.query(`update gatehouse.feeds set checked_at = now(), problem = null where name = $1`, [name]);
}

/** Notes why a feed could not be read, be it for the first time. */
export async function noteFeedProblem(sql: Sql, name: string, problem: string): Promise<void> {
  await sql.query(
    `insert into gatehouse.feeds (name, fingerprint, records, skipped, checked_at, problem)
     values ($1, '', 0, 0, now(), $2)
     on conflict (name) do update set checked_at = now(), problem = excluded.problem`,
    [name, problem],
  );
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
