import type { Verdict } from '@gatehouse/policies';
import type { Sql } from './database.ts';

/** What webhooks are told of an image. */
export interface VerdictRow {
  readonly image: string;
  readonly revision: number;
  readonly aliases: readonly string[];
  /** Null if the image is gone. Its own revision is that of the row. */
  readonly verdict: Verdict | null;
}

/** The channel on which the core's replicas tell each other of new verdicts. */
export const VERDICTS_CHANNEL = 'gatehouse_verdicts';

export function verdictsOf(sql: Sql, images: readonly string[]): Promise<VerdictRow[]> {
  return sql.query<VerdictRow>(
    `select image, revision, aliases, verdict from gatehouse.verdicts where image = any($1)`,
    [images],
  );
}

/** Of the images those that are gone, while their verdicts still stand. */
export async function forgottenImages(sql: Sql, images: readonly string[]): Promise<string[]> {
  const rows = await sql.query<{ image: string }>(
    `select image from gatehouse.verdicts where image = any($1) and verdict is not null
       and not exists (select from gatehouse.images where digest = image) order by image`,
    [images],
  );
  return rows.map((row) => row.image);
}

/**
 * Overwrites verdicts, each with a revision of its own, and tells the replicas. From here on until it commits the
 * transaction holds the store's row, so this must be the last thing in it.
 */
export async function writeVerdicts(
  sql: Sql,
  changes: readonly { image: string; aliases: readonly string[]; verdict: Verdict | null }[],
): Promise<void> {
  const [store] = await sql.query<{ revision: number }>(
    `update gatehouse.store set revision = revision + $1 returning revision`,
    [changes.length],
  );
  const first = (store?.revision ?? 0) - changes.length + 1;
  const rows = changes.map(({ image, aliases, verdict }, index) => {
    const revision = first + index;
    return { image, revision, aliases, verdict: verdict && { ...verdict, revision } };
  });
  await sql.query(
    `insert into gatehouse.verdicts (image, revision, aliases, verdict)
     select image, revision, aliases, verdict
     from jsonb_to_recordset($1::jsonb) as row (image text, revision bigint, aliases text[], verdict jsonb)
     on conflict (image) do update set revision = excluded.revision, aliases = excluded.aliases,
       verdict = excluded.verdict, updated_at = now()`,
    [JSON.stringify(rows)],
  );
  await sql.query(`select pg_notify($1, '')`, [VERDICTS_CHANNEL]);
}

/** Which store this is, and the revision of its newest verdict. */
export async function storeState(sql: Sql): Promise<{ id: string; revision: number }> {
  const [store] = await sql.query<{ id: string; revision: number }>(
    'select id, revision from gatehouse.store',
  );
  if (!store) throw new Error('gatehouse.store has no row');
  return store;
}

/** The verdicts after a revision, in the order of their revisions. */
export function verdictsAfter(sql: Sql, revision: number, limit: number): Promise<VerdictRow[]> {
  return sql.query<VerdictRow>(
    `select image, revision, aliases, verdict from gatehouse.verdicts where revision > $1 order by revision limit $2`,
    [revision, limit],
  );
}
