import type { NodeName } from '../datastore/aliases.ts';
import type { Sql } from '../datastore/database.ts';
import { findImage, setGivenUp } from '../datastore/images.ts';
import { markVerdicts } from '../datastore/stale.ts';
import type { App } from './app.ts';
import { digest, reasonText } from './names.ts';
import { nameOf } from './nodes.ts';
import { mustHaveRoom } from './unproven-images.ts';

/**
 * Notes why a node has given an image up, where nothing better is known of it. Whatever any node brings of it later
 * counts instead.
 */
export async function imageFailed(
  app: App,
  node: NodeName,
  report: { digest: string; reason: string },
): Promise<void> {
  const image = digest('digest', report.digest);
  const reason = `${nameOf(node)}: ${report.reason}`;
  await app.database.transaction(async (sql) => {
    await mustHaveRoom(sql, node, image);
    await giveUp(app, sql, image, { reason, saidBy: nameOf(node) });
  });
}

/**
 * Notes that an image could not be composed of what nodes have brought, however often it was tried: else it would wait
 * for ever, and nobody know why. What was composed of it before stands.
 */
export async function imageNotComposed(app: App, image: string, failure: string): Promise<void> {
  app.log.error({ image, failure }, 'an image cannot be composed');
  await app.database.transaction(async (sql) => {
    // It may be forgotten by now.
    if (await findImage(sql, image))
      await giveUp(app, sql, image, { reason: `what was read of it cannot be put together: ${failure}` });
  });
}

async function giveUp(
  app: App,
  sql: Sql,
  image: string,
  { reason, saidBy }: { reason: string; saidBy?: string },
): Promise<void> {
  // First, as wherever images are judged or composed.
  await markVerdicts(sql, [image]);
  await setGivenUp(sql, image, { reason: reasonText(reason), saidBy });
  await app.jobs.send(sql, 'judge-images', {});
}
