import type { NodeName } from '../datastore/aliases.ts';
import { forgetUpload, keepUpload, keptBytes, keptUpload } from '../datastore/kept-uploads.ts';
import { CoreError } from '../errors.ts';
import type { App } from './app.ts';
import { digest } from './names.ts';

/** Less is sent again as quickly as it is asked for. */
const MIN_KEPT_BYTES = 256 * 1024;

/** How much is kept of an upload of a node's that broke off. */
export function bytesKept(app: App, node: NodeName, contentDigest: string): Promise<number> {
  return keptBytes(app.database, node, digest('content_digest', contentDigest));
}

/** The beginning of an upload that goes on from `bytes`. Throws CoreError `upload_not_kept` if that much is not kept. */
export async function resumeUpload(
  app: App,
  node: NodeName,
  contentDigest: string,
  bytes: number,
): Promise<Buffer> {
  const kept = await keptUpload(app.database, node, digest('content_digest', contentDigest), bytes);
  if (kept.length === bytes) return kept;
  throw new CoreError('upload_not_kept', `${kept.length} of ${bytes} bytes of ${contentDigest} are kept`);
}

/** Keeps what came of an upload that broke off. It is the caller's word until its digest proves it, so it is his alone. */
export async function keepBroken(
  app: App,
  node: NodeName,
  contentDigest: string,
  content: Buffer,
): Promise<void> {
  if (content.length < MIN_KEPT_BYTES) return;
  await keepUpload(app.database, node, digest('content_digest', contentDigest), content);
}

/** What was kept of an upload has served its end, or was not what it should have been. */
export function forgetKept(app: App, node: NodeName, contentDigest: string): Promise<void> {
  return forgetUpload(app.database, node, contentDigest);
}
