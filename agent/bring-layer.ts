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

/** A layer of an image by its diff id, in each place that it has there; one that the node does not know has one, too. */
export function placesIn(
  image: RuntimeImage,
  { diffIds }: ImageLayers,
  diffId: string,
): readonly [Layer, ...Layer[]] {
  const chains = chainIds(diffIds);
  const at = (index: number): Layer => ({ image: image.digest, diffId, index, chainId: chains[index] ?? '' });
  const [first = -1, ...others] = diffIds.flatMap((each, index) => (each === diffId ? [index] : []));
  return [at(first), ...others.map(at)];
}

/**
 * Catalogs a layer and uploads what it says: once, or in each of its places where that holds in its own only. Tells the
 * core if it cannot be read in one of those, and then gives why: rather what may pass than what stays.
 */
export async function bringLayer(
  parts: BringParts,
  places: LayerPlaces,
  layers: readonly [Layer, ...Layer[]],
  signal: AbortSignal,
): Promise<AgentError | undefined> {
  const { core, metrics, log } = parts;
  const [{ image, diffId }] = layers;
  let unread: AgentError | undefined;
  for (const layer of layers) {
    try {
      const cataloged = await catalog(parts, places, layer, signal);
      await send(parts, cataloged, signal);
      if (cataloged.opacity === 'exact') return undefined;
    } catch (error) {
      if (!isUnreadable(error)) throw error;
      if (unread?.code !== 'layer_hindered') unread = error;
    }
  }
  if (!unread) return undefined;
  metrics.layers.inc({ result: 'unreadable' });
  log.warn({ err: unread, image, layer: diffId }, 'layer unreadable');
  const report = { diffId, catalogerVersion: CATALOGER_VERSION, reason: unread.message };
  await core.reportUnreadableLayer(report, signal);
  return unread;
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

/** Sends what waits of a layer; false if that is not all that it says. */
export async function sendWaiting(
  parts: BringParts,
  layers: readonly Layer[],
  signal: AbortSignal,
): Promise<boolean> {
  let isWhole = true;
  for (const layer of layers) {
    const waiting = await parts.outbox?.read(layer);
    if (waiting) await send(parts, waiting, signal);
    if (waiting?.opacity === 'exact') return true;
    if (!waiting) isWhole = false;
  }
  return isWhole;
}

/** Whether the core cannot do with what it was told: then it is this image's fault, not that of the way. */
export function isRejected(error: unknown): boolean {
  return error instanceof CoreClientError && (error.code === 'core_rejected' || error.code === 'core_failed');
}
