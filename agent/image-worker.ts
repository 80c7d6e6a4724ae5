import { createHash } from 'node:crypto';
import type { CoreClient } from '@gatehouse/core-client';
import type { Log } from '@gatehouse/lib/log.ts';
import { CATALOGER_VERSION, chainIds, encodeFragment } from '@gatehouse/sbom';
import type { LayerCataloger } from './cataloger/cataloger.ts';
import { AgentError } from './errors.ts';
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

/**
 * Brings what one image says to the core: asks which layers it lacks, and catalogs and uploads only those. Says whether
 * all of them could be read.
 */
export async function bringImage(
  { core, cataloger, metrics, log }: BringParts,
  origin: ImageOrigin,
  image: RuntimeImage,
  signal: AbortSignal,
): Promise<{ readonly whole: boolean }> {
  const layers = await origin.layersOf(image, signal);
  const { diffIds } = layers;
  const missing = await missingLayers(core, image, layers, signal);
  log.info(
    { image: image.digest, names: image.aliases, layers: diffIds.length, missing: missing.length },
    'image found',
  );
  let whole = true;
  if (missing.length === 0) return { whole };
  await using places = await origin.placesOf(image, layers, signal);
  const chains = chainIds(diffIds);
  for (const diffId of missing) {
    const index = diffIds.indexOf(diffId);
    const began = performance.now();
    try {
      const fragment = await readLayer(cataloger, places, { index, diffId }, signal);
      const content = await encodeFragment(fragment);
      const contentDigest = `sha256:${createHash('sha256').update(content).digest('hex')}`;
      const layer = {
        diffId,
        catalogerVersion: CATALOGER_VERSION,
        chainId: chains[index] ?? '',
        content,
        contentDigest,
      };
      await core.uploadLayer(layer, signal);
      metrics.layers.inc({ result: 'cataloged' });
      metrics.uploadedBytes.inc(content.length);
      const ms = Math.round(performance.now() - began);
      log.info({ layer: diffId, files: fragment.totals.files, bytes: content.length, ms }, 'layer cataloged');
    } catch (error) {
      if (!(error instanceof AgentError && error.code === 'layer_unreadable')) throw error;
      whole = false;
      metrics.layers.inc({ result: 'unreadable' });
      log.warn({ err: error, image: image.digest, layer: diffId }, 'layer unreadable');
      await core.reportUnreadableLayer(
        { diffId, catalogerVersion: CATALOGER_VERSION, reason: error.message },
        signal,
      );
    }
  }
  return { whole };
}

/** What the core lacks of an image. Nobody takes this node's word for what it is made of: its configuration proves it. */
async function missingLayers(
  core: CoreClient,
  image: RuntimeImage,
  { platform, diffIds, config }: ImageLayers,
  signal: AbortSignal,
): Promise<readonly string[]> {
  const said = { digest: image.digest, platform, diffIds: [...diffIds], aliases: [...image.aliases] };
  const answer = await core.missingLayers(said, CATALOGER_VERSION, signal);
  const proof = answer.configWanted ? await config() : undefined;
  if (proof === undefined) return answer.diffIds;
  return (await core.missingLayers({ ...said, config: proof }, CATALOGER_VERSION, signal)).diffIds;
}
