import type { NodeName } from './aliases.ts';
import type { Sql } from './database.ts';

/** Agents send one layer after another; a node with two runtimes has two of them. */
const MAX_KEPT_A_NODE = 2;
/** An agent tries again within a minute while it runs. */
const MAX_AGE = '1 hour';

/** Keeps what arrived of an upload, unless more of it is kept; the oldest of a node's make room. */
export async function keepUpload(
  sql: Sql,
  { cluster, node }: NodeName,
  contentDigest: string,
  content: Buffer,
): Promise<void> {
  await sql.query(
    `insert into gatehouse.kept_uploads (cluster, node, content_digest, content) values ($1, $2, $3, $4)
     on conflict (cluster, node, content_digest) do update set content = excluded.content, kept_at = now()
       where length(excluded.content) > length(kept_uploads.content)`,
    [cluster, node, contentDigest, content],
  );
  await sql.query(
    `delete from gatehouse.kept_uploads where cluster = $1 and node = $2 and content_digest not in (
       select content_digest from gatehouse.kept_uploads where cluster = $1 and node = $2
       order by kept_at desc limit $3)`,
    [cluster, node, MAX_KEPT_A_NODE],
  );
}

/** How many bytes of an upload are kept. */
export async function keptBytes(
  sql: Sql,
  { cluster, node }: NodeName,
  contentDigest: string,
): Promise<number> {
  const [row] = await sql.query<{ bytes: number }>(
    `select length(content) as bytes from gatehouse.kept_uploads
     where cluster = $1 and node = $2 and content_digest = $3`,
    [cluster, node, contentDigest],
  );
  return row?.bytes ?? 0;
}

/** The first bytes of an upload, as far as they are kept. */
export async function keptUpload(
  sql: Sql,
  { cluster, node }: NodeName,
  contentDigest: string,
  bytes: number,
): Promise<Buffer> {
  const [row] = await sql.query<{ content: Buffer }>(
    `select substring(content from 1 for $4) as content from gatehouse.kept_uploads
     where cluster = $1 and node = $2 and content_digest = $3`,
    [cluster, node, contentDigest, bytes],
  );
  return row?.content ?? Buffer.alloc(0);
}

export async function forgetUpload(
  sql: Sql,
  { cluster, node }: NodeName,
  contentDigest: string,
): Promise<void> {
  await sql.query(
    `delete from gatehouse.kept_uploads where cluster = $1 and node = $2 and content_digest = $3`,
    [cluster, node, contentDigest],
  );
}

/** Forgets the uploads that nobody went on with. */
export async function sweepUploads(sql: Sql): Promise<void> {
  await sql.query(`delete from gatehouse.kept_uploads where kept_at < now() - $1::interval`, [MAX_AGE]);
}
