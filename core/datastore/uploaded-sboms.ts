import type { Sql } from './database.ts';

/** An SBOM that somebody uploaded for an image. */
export interface UploadedSbom {
  readonly format: 'cyclonedx' | 'spdx';
  readonly specVersion: string;
  readonly document: Buffer;
  /** The SHA-256 of the document. */
  readonly digest: string;
  readonly uploadedBy: string;
  readonly uploadedAt: Date;
}

/** So many uploads for an image are told of; older ones stand in the log only. */
const MAX_TOLD = 100;

/** The SBOM that was uploaded last for an image. */
export async function uploadedSbom(sql: Sql, image: string): Promise<UploadedSbom | undefined> {
  const [row] = await sql.query<UploadedSbom>(
    `select format, spec_version as "specVersion", document, digest, uploaded_by as "uploadedBy",
       uploaded_at as "uploadedAt"
     from gatehouse.uploaded_sboms where image = $1 and document is not null order by id desc limit 1`,
    [image],
  );
  return row;
}

/** Puts an SBOM in the place of the one before. */
export async function insertUploadedSbom(
  sql: Sql,
  image: string,
  sbom: Omit<UploadedSbom, 'uploadedAt'>,
): Promise<void> {
  await sql.query(
    `update gatehouse.uploaded_sboms set document = null where image = $1 and document is not null`,
    [image],
  );
  await sql.query(
    `insert into gatehouse.uploaded_sboms (image, format, spec_version, document, digest, uploaded_by)
     values ($1, $2, $3, $4, $5, $6)`,
    [image, sbom.format, sbom.specVersion, sbom.document, sbom.digest, sbom.uploadedBy],
  );
  await sql.query(
    `delete from gatehouse.uploaded_sboms where image = $1 and id <= (
       select id from gatehouse.uploaded_sboms where image = $1 order by id desc offset $2 limit 1)`,
    [image, MAX_TOLD],
  );
}

/** Of the images that are known by an upload alone those that are older than the newest so many. */
export async function oldestUploadedOnly(sql: Sql, { beyond }: { beyond: number }): Promise<string[]> {
  const rows = await sql.query<{ digest: string }>(
    `select digest from gatehouse.images where not proven and diff_ids = '{}'
     order by created_at desc, digest offset $1`,
    [beyond],
  );
  return rows.map((row) => row.digest);
}
