import type { Sql } from './database.ts';

/** Keeps what the root of a container of an image showed, unless one is kept. No two containers show the same. */
export async function insertRoot(
  sql: Sql,
  root: { image: string; catalogerVersion: string; fragment: Buffer; source: string },
): Promise<void> {
  await sql.query(
    `insert into gatehouse.container_roots (image, cataloger_version, fragment, source) values ($1, $2, $3, $4)
     on conflict do nothing`,
    [root.image, root.catalogerVersion, root.fragment, root.source],
  );
}

/** What the root of a container of an image showed, encoded. */
export async function findRoot(
  sql: Sql,
  image: string,
  catalogerVersion: string,
): Promise<Buffer | undefined> {
  const [row] = await sql.query<{ fragment: Buffer }>(
    `select fragment from gatehouse.container_roots where image = $1 and cataloger_version = $2`,
    [image, catalogerVersion],
  );
  return row?.fragment;
}

/** Whether that is kept. */
export async function hasRoot(sql: Sql, image: string, catalogerVersion: string): Promise<boolean> {
  const rows = await sql.query(
    `select from gatehouse.container_roots where image = $1 and cataloger_version = $2`,
    [image, catalogerVersion],
  );
  return rows.length > 0;
}
