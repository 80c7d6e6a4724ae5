import { chainIds } from '@gatehouse/sbom';
import type { Sql } from './database.ts';

/** What identifies what was said of a layer. */
export interface LayerKey {
  readonly diffId: string;
  readonly catalogerVersion: string;
  /** The chain of layers that it holds above; empty if above any. */
  readonly chainId: string;
}

/** A layer as it is kept. */
export interface StoredLayer extends LayerKey {
  /** Why there is no fragment of it; null if there is one. */
  readonly unreadable: string | null;
}

/**
 * Of the layers of an image, those that something was said of, one for each of their places from the bottom to the top:
 * by the first of the versions that could read it there, with the fragment that holds above any chain, else the one for
 * its own.
 */
export function layersOf(
  sql: Sql,
  diffIds: readonly string[],
  catalogerVersions: readonly string[],
): Promise<StoredLayer[]> {
  return sql.query<StoredLayer>(
    `select distinct on (wanted.position) wanted.diff_id as "diffId", layer.cataloger_version as "catalogerVersion",
       layer.chain_id as "chainId", layer.unreadable
     from unnest($1::text[], $2::text[]) with ordinality as wanted (diff_id, chain_id, position)
     join gatehouse.layers layer on layer.diff_id = wanted.diff_id and layer.cataloger_version = any($3)
       and layer.chain_id in ('', wanted.chain_id)
     order by wanted.position, layer.fragment is null, array_position($3, layer.cataloger_version), layer.chain_id`,
    [diffIds, chainIds(diffIds), catalogerVersions],
  );
}

/** The fragment of a layer that has one. */
export async function fragmentOf(
  sql: Sql,
  { diffId, catalogerVersion, chainId }: LayerKey,
): Promise<Buffer | undefined> {
  const [row] = await sql.query<{ fragment: Buffer | null }>(
    `select fragment from gatehouse.layers where diff_id = $1 and cataloger_version = $2 and chain_id = $3`,
    [diffId, catalogerVersion, chainId],
  );
  return row?.fragment ?? undefined;
}

/**
 * The diff ids of an image's layers that none of the versions has said anything of in one of their places, in the order
 * of the image. With `orUnreadable`, also those that nobody could read there so far.
 */
export async function unknownLayers(
  sql: Sql,
  diffIds: readonly string[],
  catalogerVersions: readonly string[],
  { orUnreadable = false } = {},
): Promise<string[]> {
  const rows = await sql.query<{ diffId: string }>(
    `select wanted.diff_id as "diffId"
     from unnest($1::text[], $2::text[]) with ordinality as wanted (diff_id, chain_id, position)
     where not exists (
       select from gatehouse.layers layer where layer.diff_id = wanted.diff_id and layer.cataloger_version = any($3)
         and layer.chain_id in ('', wanted.chain_id) and (layer.fragment is not null or not $4))
     order by wanted.position`,
    [diffIds, chainIds(diffIds), catalogerVersions, orUnreadable],
  );
  return [...new Set(rows.map((row) => row.diffId))];
}

/** Keeps a fragment unless there is one already; gives the digest of the one that is kept. */
export async function insertFragment(
  sql: Sql,
  key: LayerKey,
  fragment: { content: Buffer; digest: string; source: string },
): Promise<string> {
  const values = [
    key.diffId,
    key.catalogerVersion,
    key.chainId,
    fragment.content,
    fragment.digest,
    fragment.source,
  ];
  await sql.query(
    `insert into gatehouse.layers (diff_id, cataloger_version, chain_id, fragment, fragment_digest, source)
     values ($1, $2, $3, $4, $5, $6)
     on conflict (diff_id, cataloger_version, chain_id) do update
       set fragment = excluded.fragment, fragment_digest = excluded.fragment_digest, unreadable = null,
           source = excluded.source, created_at = now()
       where layers.fragment is null`,
    values,
  );
  const [kept] = await sql.query<{ digest: string }>(
    `select fragment_digest as digest from gatehouse.layers
     where diff_id = $1 and cataloger_version = $2 and chain_id = $3`,
    values.slice(0, 3),
  );
  return kept?.digest ?? fragment.digest;
}

/** Says that a layer could be read nowhere, unless somebody could. */
export async function insertUnreadable(
  sql: Sql,
  key: LayerKey,
  { reason, source }: { reason: string; source: string },
): Promise<void> {
  await sql.query(
    `insert into gatehouse.layers (diff_id, cataloger_version, chain_id, unreadable, source) values ($1, $2, $3, $4, $5)
     on conflict do nothing`,
    [key.diffId, key.catalogerVersion, key.chainId, reason, source],
  );
}
