import { createHash } from 'node:crypto';
import { type CoreClient, CoreClientError } from '@gatehouse/core-client';
import { explain } from '@gatehouse/lib/errors.ts';
import type { Log } from '@gatehouse/lib/log.ts';
import { CATALOGER_VERSION, chainIds, encodeFragment } from '@gatehouse/sbom';
import type { LayerCataloger } from './cataloger/cataloger.ts';
import { AgentError } from './errors.ts';
import type { AgentMetrics } from './metrics.ts';
import type { Cataloged, Outbox } from './outbox.ts';
import { readLayer } from './read-layer.ts';
import type { ImageLayers, LayerPlaces, RuntimeImage } from './runtimes/runtime.ts';

/** What agents ask of the core. */
export type CoreForAgents = Pick<
  CoreClient,
  | 'missingLayers'
  | 'uploadLayer'
  | 'reportUnreadableLayer'
  | 'reportFailedImage'
  | 'holdLayers'
  | 'reportNode'
  | 'reportRuntimeFacts'
>;

/** What it takes to bring images. */
export interface BringParts {
  readonly core: CoreForAgents;
  readonly cataloger: LayerCataloger;
  /** Where fragments wait that the core did not take in. */
  readonly outbox?: Outbox | undefined;
  readonly metrics: AgentMetrics;
  readonly log: Log;
}

/** A layer of an image. */
export interface Layer {
  readonly image: string;
  readonly diffId: string;
  /** -1 if the node knows no such layer of the image. */
  readonly index: number;
  readonly chainId: string;
}

/** A layer of an image by its diff id. */
export function placeOf(image: RuntimeImage, { diffIds }: ImageLayers, diffId: string): Layer {
  const index = diffIds.indexOf(diffId);
  return { image: image.digest, diffId, index, chainId: chainIds(diffIds)[index] ?? '' };
}

/** Catalogs a layer and uploads what it says; tells the core if it cannot be read, and then gives why. */
export async function bringLayer(
  parts: BringParts,
  places: LayerPlaces,
  layer: Layer,
  signal: AbortSignal,
): Promise<AgentError | undefined> {
  const { core, metrics, log } = parts;
  const { diffId } = layer;
  try {
    await send(parts, await catalog(parts, places, layer, signal), signal);
    return undefined;
  } catch (error) {
    if (!isUnreadable(error)) throw error;
    metrics.layers.inc({ result: 'unreadable' });
    log.warn({ err: error, image: layer.image, layer: diffId }, 'layer unreadable');
    const report = { diffId, catalogerVersion: CATALOGER_VERSION, reason: error.message };
    await core.reportUnreadableLayer(report, signal);
    return error;
  }
}

export function isUnreadable(error: unknown): error is AgentError {
  if (!(error instanceof AgentError)) return false;
  return error.code === 'layer_unreadable' || error.code === 'layer_hindered';
}

/** Reads what a layer says, as it is sent. Throws AgentError `layer_unreadable` or `layer_hindered`. */
export async function catalog(
  { cataloger, metrics, log }: BringParts,
  places: LayerPlaces,
  layer: Layer,
  signal: AbortSignal,
): Promise<Cataloged> {
  const { diffId, chainId, index } = layer;
  if (index < 0) throw new AgentError('layer_unreadable', 'the node knows no such layer of the image');
  const began = performance.now();
  const fragment = await readLayer(cataloger, places, layer, signal);
  const content = await encodeFragment(fragment).catch((cause: unknown) => {
    throw new AgentError('layer_unreadable', explain(cause), { cause });
  });
  metrics.layers.inc({ result: 'cataloged' });
  const ms = Math.round(performance.now() - began);
  log.info({ layer: diffId, files: fragment.totals.files, bytes: content.length, ms }, 'layer cataloged');
  const contentDigest = `sha256:${createHash('sha256').update(content).digest('hex')}`;
  const upload = { diffId, catalogerVersion: CATALOGER_VERSION, chainId, content, contentDigest };
  return { upload, opacity: fragment.opacity };
}

/**
 * Uploads what a layer says. Where the core does not take it in it waits, unless it does not want it. In the usual case
 * nothing is written to the disk of the node: whatever an agent did not get rid of before its end, the next one reads.
 */
export async function send(
  { core, outbox, metrics }: BringParts,
  cataloged: Cataloged,
  signal: AbortSignal,
): Promise<void> {
  const { upload } = cataloged;
  try {
    await core.uploadLayer(upload, signal);
  } catch (error) {
    if (isRejected(error)) await outbox?.drop(upload);
    else await outbox?.put(cataloged);
    throw error;
  }
  metrics.uploadedBytes.inc(upload.content.length);
  await outbox?.delivered(upload);
}

/** Whether the core finds something wrong with what it was told: then it is this image's fault, not that of the way. */
export function isRejected(error: unknown): boolean {
  return error instanceof CoreClientError && error.code === 'core_rejected';
}
