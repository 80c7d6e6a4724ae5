import { type Alias, learnAliases, type NodeName } from '../datastore/aliases.ts';
import type { Sql } from '../datastore/database.ts';
import { unknownImages } from '../datastore/images.ts';
import {
  type ContainerRecord,
  listNodes,
  type NodeRow,
  replaceContainers,
  upsertNode,
} from '../datastore/nodes.ts';
import { markVerdicts } from '../datastore/stale.ts';
import type { App } from './app.ts';
import { aliases, digest, shortText } from './names.ts';

/** The kubelet keeps 110 pods by default and 250 at the usual most; with images of years that is still far away. */
const MAX_NODE_IMAGES = 5_000;
const MAX_NODE_CONTAINERS = 10_000;

/** All that a node has and runs. */
export interface NodeReport {
  readonly runtime: string;
  readonly images: readonly { readonly digest: string; readonly aliases: readonly string[] }[];
  readonly containers: readonly ContainerRecord[];
}

/** Replaces what is known of a node; gives the images of it that nothing is known of. */
export async function reportNode(app: App, node: NodeName, report: NodeReport): Promise<readonly string[]> {
  const reported = { images: report.images.length, containers: report.containers.length };
  // Whoever can start pods on a node could otherwise silence it.
  if (reported.images > MAX_NODE_IMAGES || reported.containers > MAX_NODE_CONTAINERS)
    app.log.warn({ source: nameOf(node), ...reported }, 'a node reports too much: the rest is left out');
  const taken = report.images.slice(0, MAX_NODE_IMAGES);
  const images = taken.map((image) => digest('image', image.digest));
  const names = taken.flatMap((image) =>
    aliases(image.aliases).map((alias) => ({ alias, image: image.digest })),
  );
  const containers = report.containers.slice(0, MAX_NODE_CONTAINERS).map((container) => ({
    id: shortText('container id', container.id),
    name: shortText('container name', container.name),
    namespace: shortText('namespace', container.namespace),
    pod: shortText('pod', container.pod),
    podUid: shortText('pod uid', container.podUid),
    image: digest('container image', container.image),
    running: container.running,
  }));
  return app.database.transaction(async (sql) => {
    await hearOf(app, sql, node, { runtime: shortText('runtime', report.runtime), names, complete: true });
    await replaceContainers(sql, node, containers);
    return unknownImages(sql, images);
  });
}

/** How logs and stores name a node. */
export function nameOf({ cluster, node }: NodeName): string {
  return `${cluster}/${node}`;
}

/** Takes in that a node has images by these names, and has verdicts told anew where that changes what a name means. */
export async function hearOf(
  app: App,
  sql: Sql,
  node: NodeName,
  word: { runtime: string; names: readonly Alias[]; complete: boolean },
): Promise<void> {
  const { isNew } = await upsertNode(sql, node, word.runtime);
  const touched = await learnAliases(sql, node, word.names, { complete: word.complete, isFirstWord: isNew });
  if (touched.length === 0) return;
  await markVerdicts(sql, touched);
  await app.jobs.send(sql, 'judge-images', {});
}

export function nodes(app: App): Promise<NodeRow[]> {
  return listNodes(app.database);
}
