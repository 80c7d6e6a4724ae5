import type { NodeName } from './aliases.ts';
import type { Sql } from './database.ts';

// Whoever locks several leases does so in the order of their diff ids, so that nobody waits in a circle.

/** Layers as one version of the catalogers reads them. */
export interface LeasedLayers {
  readonly diffIds: readonly string[];
  readonly catalogerVersion: string;
}

/**
 * Gives a node the leases on those layers that no other node holds, the first ones first, up to `most` in all; says
 * which. What it holds already is renewed.
 */
export async function takeLeases(
  sql: Sql,
  { cluster, node }: NodeName,
  { diffIds, catalogerVersion }: LeasedLayers,
  { ms, most }: { ms: number; most: number },
): Promise<ReadonlySet<string>> {
  // One call of a node after another, so that together they stay within what it may hold.
  await sql.query('select pg_advisory_xact_lock(hashtextextended($1, 0))', [`leases of ${cluster}/${node}`]);
  const rows = await sql.query<{ diffId: string }>(
    `with wanted as (
       select diff_id from unnest($1::text[]) with ordinality as wanted (diff_id, position) order by position
       limit greatest(0, $6 - (
         select count(*) from gatehouse.layer_leases
         where cluster = $3 and node = $4 and until > clock_timestamp() and not diff_id = any($1)))
     )
     insert into gatehouse.layer_leases (diff_id, cataloger_version, cluster, node, until)
     select diff_id, $2, $3, $4, clock_timestamp() + $5 * interval '1 ms' from wanted order by diff_id
     on conflict (diff_id, cataloger_version) do update
       set cluster = excluded.cluster, node = excluded.node, until = excluded.until
       where layer_leases.until <= clock_timestamp()
         or (layer_leases.cluster, layer_leases.node) = (excluded.cluster, excluded.node)
     returning diff_id as "diffId"`,
    [diffIds, catalogerVersion, cluster, node, ms, most],
  );
  return new Set(rows.map((row) => row.diffId));
}

/** For each of the layers that are leased, the milliseconds until that ends. */
export async function leasesOn(
  sql: Sql,
  { diffIds, catalogerVersion }: LeasedLayers,
): Promise<ReadonlyMap<string, number>> {
  const rows = await sql.query<{ diffId: string; ms: number }>(
    `select diff_id as "diffId", (extract(epoch from until - clock_timestamp()) * 1000)::integer as ms
     from gatehouse.layer_leases where diff_id = any($1) and cataloger_version = $2`,
    [diffIds, catalogerVersion],
  );
  return new Map(rows.map(({ diffId, ms }) => [diffId, ms]));
}

const locked = `select diff_id from gatehouse.layer_leases
  where diff_id = any($1) and cataloger_version = $2 and cluster = $3 and node = $4 order by diff_id for update`;

/** Has the leases that a node holds on these layers last for `ms` from now. */
export async function renewLeases(
  sql: Sql,
  { cluster, node }: NodeName,
  { diffIds, catalogerVersion }: LeasedLayers,
  ms: number,
): Promise<void> {
  await sql.query(
    `with held as (${locked})
     update gatehouse.layer_leases lease set until = clock_timestamp() + $5 * interval '1 ms'
     from held where lease.diff_id = held.diff_id and lease.cataloger_version = $2`,
    [diffIds, catalogerVersion, cluster, node, ms],
  );
}

/** Ends the leases that a node holds on these layers. */
export async function endLeases(
  sql: Sql,
  { cluster, node }: NodeName,
  { diffIds, catalogerVersion }: LeasedLayers,
): Promise<void> {
  await sql.query(
    `with held as (${locked})
     delete from gatehouse.layer_leases lease
     using held where lease.diff_id = held.diff_id and lease.cataloger_version = $2`,
    [diffIds, catalogerVersion, cluster, node],
  );
}

/** Ends whatever lease there is on a layer, for it is there now. */
export async function endLease(sql: Sql, diffId: string, catalogerVersion: string): Promise<void> {
  await sql.query(`delete from gatehouse.layer_leases where diff_id = $1 and cataloger_version = $2`, [
    diffId,
    catalogerVersion,
  ]);
}

/** Takes away the leases that have run out, but for those that somebody is taking over. */
export async function sweepLeases(sql: Sql): Promise<void> {
  await sql.query(
    `delete from gatehouse.layer_leases where ctid = any(array(
       select ctid from gatehouse.layer_leases where until <= clock_timestamp() for update skip locked))`,
  );
}
