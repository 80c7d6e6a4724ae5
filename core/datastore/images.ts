import type { VerdictState } from '@gatehouse/policies';
import type { Sql } from './database.ts';

/** What is fixed about an image. */
export interface ImageRecord {
  /** The digest of its configuration. */
  readonly digest: string;
  readonly platform: string;
  readonly diffIds: readonly string[];
  /** It is known from the configuration itself; else from the word of a node. */
  readonly proven: boolean;
}

/** The operating system of an image, as its os-release says. */
export interface OperatingSystem {
  readonly id: string;
  readonly versionId?: string | undefined;
}

/** What the store has of an image. */
export interface ImageRow extends ImageRecord {
  readonly state: 'waiting' | VerdictState;
  readonly reason: string | null;
  readonly os: OperatingSystem | null;
  readonly composedAt: Date | null;
  /** The version of the catalogers whose fragments it was composed of. */
  readonly composedBy: string | null;
  /** Whose word its packages are; null while there are none. */
  readonly source: PackageSource | null;
}

/** What nodes read of its layers, or an SBOM that somebody uploaded. */
export type PackageSource = 'layers' | 'upload';

const columns = `digest, platform, diff_ids as "diffIds", proven, state, reason, os, composed_at as "composedAt",
  composed_by as "composedBy", source`;

/**
 * Makes an image known, and gives what is known of it then: what was proven, else what was said first; of one that is
 * known by an upload alone, or was given up, nothing was. What it is made of `isNews` if that was not known before.
 */
export async function insertImage(
  sql: Sql,
  image: ImageRecord,
  saidBy?: string,
): Promise<ImageRow & { isNews: boolean }> {
  const news = await sql.query(
    `insert into gatehouse.images (digest, platform, diff_ids, proven, said_by) values ($1, $2, $3, $4, $5)
     on conflict (digest) do update set platform = excluded.platform, diff_ids = excluded.diff_ids,
       proven = excluded.proven, said_by = excluded.said_by
       where not images.proven and (excluded.proven or images.diff_ids = '{}')
     returning digest`,
    [image.digest, image.platform, image.diffIds, image.proven, image.proven ? null : (saidBy ?? null)],
  );
  const row = await findImage(sql, image.digest);
  if (!row) throw new Error(`image ${image.digest} was just inserted`);
  return { ...row, isNews: news.length > 0 };
}

/** The image, locked until the transaction ends if `lock` is set, so that it is composed and judged by one at a time. */
export async function findImage(
  sql: Sql,
  digest: string,
  { lock = false } = {},
): Promise<ImageRow | undefined> {
  const [row] = await sql.query<ImageRow>(
    `select ${columns} from gatehouse.images where digest = $1 ${lock ? 'for update' : ''}`,
    [digest],
  );
  return row;
}

/** Locks images until the transaction ends, always in the same order so that no two who lock several wait in a circle. */
export function lockImages(sql: Sql, digests: readonly string[]): Promise<ImageRow[]> {
  return sql.query<ImageRow>(
    `select ${columns} from gatehouse.images where digest = any($1) order by digest for update`,
    [digests],
  );
}

/**
 * The images among `digests` of which no node has said what they are made of. One that was given up is known as such:
 * whoever gave it up tries it again in its own time.
 */
export async function unknownImages(sql: Sql, digests: readonly string[]): Promise<string[]> {
  const rows = await sql.query<{ digest: string }>(
    `select wanted.digest from unnest($1::text[]) as wanted (digest)
     where not exists (select from gatehouse.images image where image.digest = wanted.digest
       and (image.proven or image.diff_ids <> '{}' or image.state = 'failed')) order by 1`,
    [digests],
  );
  return rows.map((row) => row.digest);
}

/** Images with this layer that were not composed, or not wholly, of fragments of this version. */
export function imagesToCompose(sql: Sql, diffId: string, catalogerVersion: string): Promise<ImageRow[]> {
  return sql.query<ImageRow>(
    `select ${columns} from gatehouse.images
     where diff_ids @> array[$1] and (composed_by is distinct from $2 or state <> 'ready') order by digest`,
    [diffId, catalogerVersion],
  );
}

/**
 * Up to `most` images that other catalogers than this version's were composed of, if any, though this one has read
 * whatever those had. Whether it has it in each place of a layer, is not looked at. In no order, so that none of many is
 * passed over for ever.
 */
export function outdatedImages(sql: Sql, catalogerVersion: string, most: number): Promise<ImageRow[]> {
  return sql.query<ImageRow>(
    `select ${columns} from gatehouse.images
     where diff_ids <> '{}' and composed_by is distinct from $1 and not exists (
       select from unnest(diff_ids) as wanted (diff_id)
       left join lateral (
         select bool_or(fragment is not null) as read from gatehouse.layers
         where layers.diff_id = wanted.diff_id and cataloger_version = $1) as own on true
       where own.read is null or not own.read and exists (
         select from gatehouse.layers
         where layers.diff_id = wanted.diff_id and cataloger_version = composed_by and fragment is not null))
     order by random() limit $2`,
    [catalogerVersion, most],
  );
}

/** Whether some image that a node has named holds the layer. */
export async function hasImageWithLayer(sql: Sql, diffId: string): Promise<boolean> {
  const rows = await sql.query(`select from gatehouse.images where diff_ids @> array[$1] limit 1`, [diffId]);
  return rows.length > 0;
}

/** What came of reading an image. */
export async function setComposed(
  sql: Sql,
  digest: string,
  composed: {
    state: VerdictState;
    reason: string | undefined;
    os: OperatingSystem | undefined;
    source: PackageSource;
    /** Undefined where no fragments were there to compose it of. */
    catalogerVersion: string | undefined;
  },
): Promise<void> {
  await sql.query(
    `update gatehouse.images set state = $2, reason = $3, os = $4, composed_by = $5, source = $6,
       composed_at = now()
     where digest = $1`,
    [
      digest,
      composed.state,
      composed.reason ?? null,
      composed.os ? JSON.stringify(composed.os) : null,
      composed.catalogerVersion ?? null,
      composed.source,
    ],
  );
}

/** Forgets images, and what hangs on them; their verdicts are to be marked before. */
export async function deleteImages(sql: Sql, digests: readonly string[]): Promise<void> {
  await sql.query(`delete from gatehouse.images where digest = any($1)`, [digests]);
}

/** Notes why an image was given up, unless its packages are known. */
export async function setGivenUp(
  sql: Sql,
  digest: string,
  { reason, saidBy }: { reason: string; saidBy: string | undefined },
): Promise<void> {
  await sql.query(
    `insert into gatehouse.images (digest, platform, diff_ids, proven, state, reason, said_by)
     values ($1, '', '{}', false, 'failed', $2, $3)
     on conflict (digest) do update set state = 'failed', reason = excluded.reason
       where images.source is null`,
    [digest, reason, saidBy ?? null],
  );
}

/** How many images there are by the word of a node alone, but for this one. */
export async function countSaidBy(sql: Sql, saidBy: string, but: string): Promise<number> {
  const [row] = await sql.query<{ count: number }>(
    `select count(*) as count from gatehouse.images where said_by = $1 and digest <> $2`,
    [saidBy, but],
  );
  return row?.count ?? 0;
}

/** Images after one another by digest, from `after` on. */
export function listImages(sql: Sql, page: { after: string; limit: number }): Promise<ImageRow[]> {
  return sql.query<ImageRow>(
    `select ${columns} from gatehouse.images where digest > $1 order by digest limit $2`,
    [page.after, page.limit],
  );
}
