import type { Sql } from './database.ts';

/** Packages are rematched and images judged so many in a transaction: few enough to take part of a second. */
const BATCH = 200;

// What is noted already is locked by whoever notes it again (`do update`, not `do nothing`), so that nobody takes it
// before that one has committed, and looks at things as they were: the note would be gone, and the change never seen.

/** Notes that what feeds say of these packages may have changed, or was never looked up. */
export async function markKeys(
  sql: Sql,
  keys: readonly { ecosystem: string; name: string }[],
): Promise<void> {
  await sql.query(
    `insert into gatehouse.stale_keys (ecosystem, name)
     select distinct * from unnest($1::text[], $2::text[]) order by 1, 2
     on conflict (ecosystem, name) do update set name = excluded.name`,
    [keys.map(({ ecosystem }) => ecosystem), keys.map(({ name }) => name)],
  );
}

/** Notes that what is known of these CVEs has changed: their score, or whether they are exploited. */
export async function markCves(sql: Sql, cves: readonly string[]): Promise<void> {
  await sql.query(
    `insert into gatehouse.stale_cves (cve) select distinct * from unnest($1::text[]) order by 1
     on conflict (cve) do update set cve = excluded.cve`,
    [cves],
  );
}

/** Notes that the verdicts of these images may have changed. */
export async function markVerdicts(sql: Sql, images: readonly string[]): Promise<void> {
  await sql.query(
    `insert into gatehouse.stale_verdicts (image) select distinct * from unnest($1::text[]) order by 1
     on conflict (image) do update set image = excluded.image`,
    [images],
  );
}

/** Takes a batch of packages' keys; they are gone for good if the transaction commits. */
export function takeKeys(sql: Sql): Promise<{ ecosystem: string; name: string }[]> {
  return sql.query(
    `delete from gatehouse.stale_keys where (ecosystem, name) in (
       select ecosystem, name from gatehouse.stale_keys order by 1, 2 limit $1 for update skip locked)
     returning ecosystem, name`,
    [BATCH],
  );
}

export async function takeCves(sql: Sql): Promise<string[]> {
  const rows = await sql.query<{ cve: string }>(
    `delete from gatehouse.stale_cves where cve in (
       select cve from gatehouse.stale_cves order by 1 limit $1 for update skip locked)
     returning cve`,
    [BATCH],
  );
  return rows.map((row) => row.cve);
}

export async function takeVerdicts(sql: Sql): Promise<string[]> {
  const rows = await sql.query<{ image: string }>(
    `delete from gatehouse.stale_verdicts where image in (
       select image from gatehouse.stale_verdicts order by 1 limit $1 for update skip locked)
     returning image`,
    [BATCH],
  );
  return rows.map((row) => row.image);
}
