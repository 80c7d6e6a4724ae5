import type { CoreClient } from '@gatehouse/core-client';
import type { Log } from '@gatehouse/lib/log.ts';
import { describePlatform, openSource } from '@gatehouse/sbom';
import { CatalogerProcess } from './cataloger/cataloger-process.ts';
import { bringImage } from './image-worker.ts';
import type { AgentMetrics } from './metrics.ts';
import type { RuntimeImage } from './runtimes/runtime.ts';

/** Brings an image from a file or folder to the core, such as docker-archive:FILE; gives the image. Throws SbomError. */
export async function bringFileImage(
  parts: { core: CoreClient; metrics: AgentMetrics; log: Log },
  source: string,
  signal: AbortSignal,
): Promise<RuntimeImage> {
  await using opened = await openSource(source);
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
