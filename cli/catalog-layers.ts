import { catalogBlob, type Fragment, type SourceLayer } from '@gatehouse/sbom';

/** Told of each layer that was read, for people who wait. */
export type Progress = (done: number, all: number) => void;

/** Each is inflated by a thread of its own, and all else is done by this one: three would wait for it. */
const LAYERS_AT_ONCE = 2;

/** The fragments of an image's layers, in their order. Throws what catalogBlob throws of the first that fails. */
export async function catalogLayers(
  layers: readonly SourceLayer[],
  progress: Progress,
  signal: AbortSignal,
): Promise<readonly Fragment[]> {
  const fragments: Fragment[] = [];
  let done = 0;
  const failed = new AbortController();
  const stop = AbortSignal.any([signal, failed.signal]);
  const left = layers.entries();
  const readers = Array.from({ length: LAYERS_AT_ONCE }, async () => {
    for (const [index, layer] of left) {
      const { fragment } = await catalogBlob(layer, { diffId: layer.diffId, signal: stop });
      fragments[index] = fragment;
      progress(++done, layers.length);
    }
  });
  try {
    await Promise.all(readers);
  } catch (error) {
    failed.abort();
    // Nothing reads from an image that is closed.
    await Promise.allSettled(readers);
    throw error;
  }
  return fragments;
}
