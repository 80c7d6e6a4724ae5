import type { LayerBlob } from '../layer/blob-reader.ts';
import { corrupt, type FileStore } from './file-store.ts';
import type { ImageConfig } from './image-config.ts';
import type { Platform } from './platform.ts';

/** An image that can be read, wherever it is kept. */
export interface SourceImage extends AsyncDisposable {
  /** Of the config, `sha256:…`: what an image is known by. */
  readonly digest: string;
  readonly platform: Platform;
  /** The configuration itself. */
  readonly config: Buffer;
  /** From bottom to top. */
  readonly diffIds: readonly string[];
  /** Names and other digests of the same image. */
  readonly aliases: readonly string[];
  /** One for each diff id; `catalogBlob` takes them, and compares their content with it. */
  readonly layers: readonly SourceLayer[];
}

export interface SourceLayer extends LayerBlob {
  readonly diffId: string;
  readonly mediaType: string;
}

/** A layer as a manifest names it. */
export interface StoredLayer {
  readonly path: string;
  readonly mediaType: string;
}

/** Joins the config of an image with the layers in its store. Throws SbomError `source_corrupt` if they do not match. */
export async function assembleImage(
  store: FileStore,
  image: {
    digest: string;
    bytes: Buffer;
    config: ImageConfig;
    aliases: readonly string[];
    layers: readonly StoredLayer[];
  },
): Promise<SourceImage> {
  const { platform, diffIds } = image.config;
  if (diffIds.length !== image.layers.length) {
    throw corrupt(store, `has an image of ${image.layers.length} layers with ${diffIds.length} diff ids`);
  }
  for (const { path } of image.layers) {
    if ((await store.sizeOf(path)) === undefined) throw corrupt(store, `lacks the layer ${path}`);
  }
  return {
    digest: image.digest,
    config: image.bytes,
    platform,
    diffIds,
    aliases: image.aliases,
    layers: diffIds.flatMap((diffId, index) => {
      const layer = image.layers[index];
      return layer
        ? [{ name: diffId, diffId, mediaType: layer.mediaType, open: () => store.open(layer.path) }]
        : [];
    }),
    [Symbol.asyncDispose]: () => store[Symbol.asyncDispose](),
  };
}
