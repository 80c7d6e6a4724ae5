import { createHash } from 'node:crypto';
import type { CoreClient, LayerUpload, MissingLayers } from '@gatehouse/core-client';
import type { Log } from '@gatehouse/lib/log.ts';
import { CATALOGER_VERSION, chainIds, encodeFragment } from '@gatehouse/sbom';
import type { LayerCataloger } from './cataloger/cataloger.ts';
import { AgentError } from './errors.ts';
import { Leases } from './leases.ts';
import type { AgentMetrics } from './metrics.ts';
import { readLayer } from './read-layer.ts';
import type { ImageLayers, LayerPlaces, RuntimeImage } from './runtimes/runtime.ts';

/** Where images of a node or of a file come from. */
export interface ImageOrigin {
  layersOf(image: RuntimeImage, signal: AbortSignal): Promise<ImageLayers>;
  placesOf(image: RuntimeImage, layers: ImageLayers, signal: AbortSignal): Promise<LayerPlaces>;
}

/** What it takes to bring an image. */
export interface BringParts {
  readonly core: CoreClient;
  readonly cataloger: LayerCataloger;
  readonly metrics: AgentMetrics;
  readonly log: Log;
}

/** What came of bringing an image. */
export interface Brought {
  /** All layers that were this node's to bring could be read. */
  readonly whole: boolean;
  /** Other nodes bring the rest: the milliseconds until one of their leases ends, if they do not. */
  readonly askAgainInMs?: number;
}

/** Brings what one image says to the core: asks which layers it lacks, and catalogs and uploads only those. */
export async function bringImage(
  parts: BringParts,
  origin: ImageOrigin,
  image: RuntimeImage,
  signal: AbortSignal,
): Promise<Brought> {
  const { missing, described } = await ask(parts.core, origin, image, signal);
  const { diffIds, leased } = missing;
  parts.log.info(
    { image: image.digest, names: image.aliases, missing: diffIds.length, leased: leased.length },
    'image found',
  );
  const endings = leased.map(({ endsInMs }) => endsInMs);
  const rest = endings.length > 0 ? { askAgainInMs: Math.min(...endings) } : {};
  if (diffIds.length === 0) return { whole: true, ...rest };
  await using leases = new Leases(parts.core, { ...missing, catalogerVersion: CATALOGER_VERSION }, parts.log);
  const layers = described ?? (await origin.layersOf(image, signal));
  await using places = await origin.placesOf(image, layers, signal);
  const chains = chainIds(layers.diffIds);
  let whole = true;
  for (const diffId of diffIds) {
    const index = layers.diffIds.indexOf(diffId);
    const layer = { image: image.digest, diffId, index, chainId: chains[index] ?? '' };
    if (!(await bringLayer(parts, places, layer, signal))) whole = false;
    leases.settled(diffId);
  }
  return { whole, ...rest };
}

/**
 * What the core lacks of an image. Of one that it knows, a name is all it needs. Nobody takes this node's word for what
 * any other is made of: its configuration proves it.
 */
async function ask(
  core: CoreClient,
  origin: ImageOrigin,
  image: RuntimeImage,
  signal: AbortSignal,
): Promise<{ readonly missing: MissingLayers; readonly described?: ImageLayers }> {
  const names = { digest: image.digest, aliases: [...image.aliases] };
  const missing = await core.missingLayers(names, CATALOGER_VERSION, signal);
  if (!missing.descriptionWanted) return { missing };
  const described = await origin.layersOf(image, signal);
  const { platform, diffIds } = described;
  const config = (await described.config()) ?? Buffer.alloc(0);
  const description = { ...names, platform, diffIds: [...diffIds], config };
  return { missing: await core.missingLayers(description, CATALOGER_VERSION, signal), described };
}

interface Layer {
  readonly image: string;
  readonly diffId: string;
  readonly index: number;
  readonly chainId: string;
}

/** Catalogs a layer and uploads what it says; tells the core if it cannot be read, and then gives false. */
async function bringLayer(
  { core, cataloger, metrics, log }: BringParts,
  places: LayerPlaces,
  layer: Layer,
  signal: AbortSignal,
): Promise<boolean> {
  const { diffId } = layer;
  const began = performance.now();
  try {
    const fragment = await readLayer(cataloger, places, layer, signal);
    const upload = uploadOf(layer, await encodeFragment(fragment));
    await core.uploadLayer(upload, signal);
    metrics.layers.inc({ result: 'cataloged' });
    metrics.uploadedBytes.inc(upload.content.length);
    const ms = Math.round(performance.now() - began);
    const { files } = fragment.totals;
    log.info({ layer: diffId, files, bytes: upload.content.length, ms }, 'layer cataloged');
    return true;
  } catch (error) {
    if (!(error instanceof AgentError && error.code === 'layer_unreadable')) throw error;
    metrics.layers.inc({ result: 'unreadable' });
    log.warn({ err: error, image: layer.image, layer: diffId }, 'layer unreadable');
    const report = { diffId, catalogerVersion: CATALOGER_VERSION, reason: error.message };
    await core.reportUnreadableLayer(report, signal);
    return false;
  }
}

function uploadOf({ diffId, chainId }: Layer, content: Buffer): LayerUpload {
  const contentDigest = `sha256:${createHash('sha256').update(content).digest('hex')}`;
  return { diffId, catalogerVersion: CATALOGER_VERSION, chainId, content, contentDigest };
}
