import type { NodeName } from '../datastore/aliases.ts';
import { setGivenUp } from '../datastore/images.ts';
import { markVerdicts } from '../datastore/stale.ts';
import type { App } from './app.ts';
import { digest, reasonText } from './names.ts';
import { nameOf } from './nodes.ts';

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
    // First, as wherever images are judged or composed.
    await markVerdicts(sql, [image]);
    await setGivenUp(sql, image, reasonText(reason));
    await app.jobs.send(sql, 'judge-images', {});
  });
}
