import type { NodeName } from './aliases.ts';
import type { Sql } from './database.ts';

/** How a program got into a container. */
export const driftKinds = ['written', 'mounted', 'memory', 'deleted'] as const;
export type DriftKind = (typeof driftKinds)[number];

/** A program that a container runs and that is not of its image. */
export interface DriftedFile {
  readonly path: string;
  readonly kind: DriftKind;
}

/** A drifted file with the container that runs it. */
export interface DriftRow extends DriftedFile {
  readonly id: number;
  readonly cluster: string;
  readonly node: string;
  readonly container: string;
  readonly name: string;
  readonly namespace: string;
  readonly pod: string;
  readonly image: string;
  readonly seenAt: Date;
}

/** The image of a container, if the node has reported it. */
export async function imageOfContainer(
  sql: Sql,
  node: NodeName,
  container: string,
): Promise<string | undefined> {
  const [row] = await sql.query<{ image: string }>(
    `select image from gatehouse.containers where cluster = $1 and node = $2 and id = $3`,
    [node.cluster, node.node, container],
  );
  return row?.image;
}

/** Keeps which files of an image are loaded, `most` in all; gives how many were new. */
export async function insertLoadedFiles(
  sql: Sql,
  image: string,
  { paths, most }: { readonly paths: readonly string[]; readonly most: number },
): Promise<number> {
  const rows = await sql.query(
    `insert into gatehouse.loaded_files (image, path)
     select $1, path from (select distinct unnest($2::text[]) as path) as given
     where not exists (select from gatehouse.loaded_files known where image = $1 and known.path = given.path)
     order by path
     limit greatest(0, $3 - (select count(*) from gatehouse.loaded_files where image = $1))
     on conflict do nothing returning path`,
    [image, paths, most],
  );
  return rows.length;
}

/** The files of an image that are loaded. */
export async function loadedFiles(sql: Sql, image: string): Promise<string[]> {
  const rows = await sql.query<{ path: string }>(
    `select path from gatehouse.loaded_files where image = $1 order by path`,
    [image],
  );
  return rows.map((row) => row.path);
}

/** Keeps what a container runs that is not of its image, `most` in all; gives what was new. */
export function insertDrift(
  sql: Sql,
  node: NodeName,
  { container, files, most }: { container: string; files: readonly DriftedFile[]; most: number },
): Promise<DriftedFile[]> {
  return sql.query<DriftedFile>(
    `insert into gatehouse.drift (cluster, node, container, path, kind)
     select distinct $1, $2, $3, path, kind from jsonb_to_recordset($4::jsonb) as given (path text, kind text)
     where not exists (
       select from gatehouse.drift known where cluster = $1 and node = $2 and container = $3
         and known.path = given.path and known.kind = given.kind)
     limit greatest(0, $5 - (
       select count(*) from gatehouse.drift where cluster = $1 and node = $2 and container = $3))
     on conflict do nothing returning path, kind`,
    [node.cluster, node.node, container, JSON.stringify(files), most],
  );
}

/** Forgets the drift of containers that the node no longer has. */
export async function deleteStrayDrift(sql: Sql, node: NodeName): Promise<void> {
  await sql.query(
    `delete from gatehouse.drift where cluster = $1 and node = $2 and not exists (
       select from gatehouse.containers
       where containers.cluster = $1 and containers.node = $2 and containers.id = drift.container)`,
    [node.cluster, node.node],
  );
}

/** What containers run that is not of their images, in the order in which it was seen, from after `after` on. */
export function listDrift(sql: Sql, page: { after: number; limit: number }): Promise<DriftRow[]> {
  return sql.query<DriftRow>(
    `select drift.id, cluster, node, container, held.name, held.namespace, held.pod, held.image, path, kind,
       seen_at as "seenAt"
     from gatehouse.drift
     join gatehouse.containers held using (cluster, node)
     where held.id = drift.container and drift.id > $1 order by drift.id limit $2`,
    [page.after, page.limit],
  );
}
