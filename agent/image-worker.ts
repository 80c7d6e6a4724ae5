import type { MissingLayers } from '@gatehouse/core-client';
import { CATALOGER_VERSION } from '@gatehouse/sbom';
import { type BringParts, bringLayer, type CoreForAgents, placesIn, sendWaiting } from './bring-layer.ts';
import { bringRoot } from './bring-root.ts';
import { Leases } from './leases.ts';
import type { Registries, RegistryLayers } from './registry-layers.ts';
import type { ImageLayers, Inventory, LayerPlaces, Runtime, RuntimeImage } from './runtimes/runtime.ts';

/** Where images of a node or of a file come from. */
export interface ImageOrigin {
  layersOf(image: RuntimeImage, signal: AbortSignal): Promise<ImageLayers>;
  placesOf(image: RuntimeImage, layers: ImageLayers, signal: AbortSignal): Promise<LayerPlaces>;
  /** Where layers are asked for that are at none of these places. */
  registryOf?(image: RuntimeImage, layers: ImageLayers): RegistryLayers | undefined;
}

/** The images of a node; without registries what the node has not kept is not asked for. */
export function originOf(runtime: Runtime, inventory: Inventory, registries?: Registries): ImageOrigin {
  return {
    registryOf: (image, layers) => registries?.layersOf(image, layers, inventory),
    layersOf: ({ digest }, signal) => runtime.layersOf(digest, signal),
    placesOf: (image, layers, signal) => runtime.placesOf(image, layers, inventory, signal),
  };
}

/** What came of bringing an image. */
export interface Brought {
  /** All layers that were this node's to bring could be read. */
  readonly whole: boolean;
  /** What kept others from being read may pass. */
  readonly mayPass?: boolean;
  /**
   * Other nodes bring the rest: the milliseconds until one of their leases ends, if they do not. Or a registry was away
   * that may be back by then.
   */
  readonly askAgainInMs?: number;
}

/** Brings what one image says to the core: asks which layers it lacks, and catalogs and uploads only those. */
export async function bringImage(
  parts: BringParts,
  origin: ImageOrigin,
  image: RuntimeImage,
  signal: AbortSignal,
): Promise<Brought> {
  const { core, log } = parts;
  const { missing, described } = await ask(core, origin, image, signal);
  const leased = new Map(missing.leased.map(({ diffId, endsInMs }) => [diffId, endsInMs]));
  log.info(
    { image: image.digest, names: image.aliases, missing: missing.diffIds.length, leased: leased.size },
    'image found',
  );
  if (missing.diffIds.length + leased.size === 0) return { whole: true };
  await using leases = new Leases(core, { ...missing, catalogerVersion: CATALOGER_VERSION }, log);
  const layers = described ?? (await origin.layersOf(image, signal));
  const toRead = new Set(missing.diffIds);
  // What waits here is sent, whoever else works at it.
  for (const diffId of [...toRead, ...leased.keys()]) {
    if (!(await sendWaiting(parts, placesIn(image, layers, diffId), signal))) continue;
    leases.settled(diffId);
    toRead.delete(diffId);
    leased.delete(diffId);
  }
  const { rootWanted } = missing;
  const from = { origin, image, layers, toRead, leases, rootWanted };
  const brought = await bringLayers(parts, from, signal);
  const soonest = Math.min(brought.askAgainInMs ?? Number.POSITIVE_INFINITY, ...leased.values());
  return Number.isFinite(soonest) ? { ...brought, askAgainInMs: soonest } : brought;
}

/** Reads and brings layers, and a container's root if need be; says whether all layers could be read. */
async function bringLayers(
  parts: BringParts,
  from: {
    origin: ImageOrigin;
    image: RuntimeImage;
    layers: ImageLayers;
    toRead: ReadonlySet<string>;
    leases: Leases;
    rootWanted: boolean;
  },
  signal: AbortSignal,
): Promise<Brought> {
  const { origin, image, layers, toRead, leases } = from;
  if (toRead.size === 0) return { whole: true };
  await using here = await origin.placesOf(image, layers, signal);
  using registry = origin.registryOf?.(image, layers);
  const places = registry ? Object.assign(here, { registry }) : here;
  let whole = true;
  let mayPass = false;
  for (const diffId of toRead) {
    const unread = await bringLayer(parts, places, placesIn(image, layers, diffId), signal);
    whole &&= unread === undefined;
    mayPass ||= unread?.code === 'layer_hindered';
    leases.settled(diffId);
  }
  const { root } = places;
  if (!whole && from.rootWanted && root !== undefined)
    mayPass = (await bringRoot(parts, { image: image.digest, root }, signal)) || mayPass;
  const askAgainInMs = registry?.retryInMs();
  return { whole, ...(mayPass && { mayPass }), ...(askAgainInMs !== undefined && { askAgainInMs }) };
}

/**
 * What the core lacks of an image. Of one that it knows, a name is all it needs. Nobody takes this node's word for what
 * any other is made of: its configuration proves it.
 */
async function ask(
  core: CoreForAgents,
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
