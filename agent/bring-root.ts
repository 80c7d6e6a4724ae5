import { createHash } from 'node:crypto';
import { CATALOGER_VERSION, encodeFragment, SbomError } from '@gatehouse/sbom';
import type { BringParts } from './bring-layer.ts';
import { AgentError } from './errors.ts';
import { mayPass } from './read-layer.ts';

/**
 * Brings what a running container of an image shows, where some layer cannot be read. It does not wait in the outbox:
 * the image is asked for again, and what the container shows then is as good. Gives whether another try may go better.
 */
export async function bringRoot(
  { core, cataloger, metrics, log }: BringParts,
  { image, root }: { readonly image: string; readonly root: string },
  signal: AbortSignal,
): Promise<boolean> {
  try {
    const fragment = await cataloger.catalogRoot(root, { signal });
    const content = await encodeFragment(fragment);
    const contentDigest = `sha256:${createHash('sha256').update(content).digest('hex')}`;
    await core.uploadLayer({ image, catalogerVersion: CATALOGER_VERSION, content, contentDigest }, signal);
    metrics.uploadedBytes.inc(content.length);
    log.info({ image, root, files: fragment.totals.files }, "image read from a container's root");
    return false;
  } catch (error) {
    if (!(error instanceof AgentError || error instanceof SbomError)) throw error;
    log.warn({ err: error, image, root }, "a container's root is unreadable");
    return mayPass(error);
  }
}
