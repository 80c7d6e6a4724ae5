import type { CoreClient } from '@gatehouse/core-client';
import type { Log } from '@gatehouse/lib/log.ts';
import { describePlatform, type SourceImage } from '@gatehouse/sbom';
import { CatalogerProcess } from './cataloger/cataloger-process.ts';
import { bringImage } from './image-worker.ts';
import type { AgentMetrics } from './metrics.ts';
import type { RuntimeImage } from './runtimes/runtime.ts';

/** Brings an image to the core that no runtime has, but a file or a registry; gives the image. Throws SbomError. */
export async function bringSourceImage(
  parts: { core: CoreClient; metrics: AgentMetrics; log: Log },
  opened: SourceImage,
  signal: AbortSignal,
): Promise<RuntimeImage> {
  const image = { digest: opened.digest, aliases: opened.aliases };
  const origin = {
    layersOf: async () => ({
      platform: describePlatform(opened.platform),
      diffIds: opened.diffIds,
      config: async () => opened.config,
    }),
    placesOf: async () => ({
      folders: undefined,
      blobs: opened.layers.map(({ diffId, open }) => ({ name: diffId, open })),
      [Symbol.asyncDispose]: async () => undefined,
    }),
  };
  await using cataloger = new CatalogerProcess(parts.log);
  await bringImage({ ...parts, cataloger }, origin, image, signal);
  return image;
}
