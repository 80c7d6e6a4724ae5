import type { NodeName } from './aliases.ts';
import type { Sql } from './database.ts';
import { deleteStrayDrift } from './runtime-facts.ts';

/** A container on a node. */
export interface ContainerRecord {
  readonly id: string;
  readonly name: string;
  readonly namespace: string;
  readonly pod: string;
  readonly podUid: string;
  readonly image: string;
  readonly running: boolean;
}

/** Who was heard of so lately is not noted again by the way: a call that changes nothing then waits for no disk. */
const LATELY = '1 minute';

/** Notes that a node has reported, or by an empty runtime that it has called; says whether it was known before. */
export async function upsertNode(sql: Sql, node: NodeName, runtime: string): Promise<{ isNew: boolean }> {
  if (runtime === '') {
    const lately = await sql.query(
      `select from gatehouse.nodes where cluster = $1 and name = $2 and reported_at > now() - $3::interval`,
      [node.cluster, node.node, LATELY],
    );
    if (lately.length > 0) return { isNew: false };
  }
  const [row] = await sql.query<{ isNew: boolean }>(
    `insert into gatehouse.nodes (cluster, name, runtime, reported_at) values ($1, $2, $3, now())
     on conflict (cluster, name) do update set
       runtime = case when excluded.runtime = '' then nodes.runtime else excluded.runtime end, reported_at = now()
     returning xmax = 0 as "isNew"`,
    [node.cluster, node.node, runtime],
  );
  return { isNew: row?.isNew ?? false };
}

/** Puts these containers in the place of those that were known of the node. */
export async function replaceContainers(
  sql: Sql,
  node: NodeName,
  containers: readonly ContainerRecord[],
): Promise<void> {
  await sql.query(`delete from gatehouse.containers where cluster = $1 and node = $2`, [
    node.cluster,
    node.node,
  ]);
  await sql.query(
    `insert into gatehouse.containers (cluster, node, id, name, namespace, pod, pod_uid, image, running)
     select $1, $2, id, name, namespace, pod, "podUid", image, running
     from jsonb_to_recordset($3::jsonb) as container
       (id text, name text, namespace text, pod text, "podUid" text, image text, running boolean)
     on conflict do nothing`,
    [node.cluster, node.node, JSON.stringify(containers)],
  );
  await deleteStrayDrift(sql, node);
}

/** A node and what it was last heard of. */
export interface NodeRow {
  readonly cluster: string;
  readonly name: string;
  readonly runtime: string;
  readonly reportedAt: Date;
  readonly containers: number;
}

export function listNodes(sql: Sql): Promise<NodeRow[]> {
  return sql.query<NodeRow>(
    `select cluster, name, runtime, reported_at as "reportedAt",
       (select count(*) from gatehouse.containers where containers.cluster = nodes.cluster
          and containers.node = nodes.name and running)
         as containers
     from gatehouse.nodes order by cluster, name`,
  );
}
