import { explain } from '@gatehouse/lib/errors.ts';
import { type Fragment, SbomError } from '@gatehouse/sbom';
import type { LayerCataloger } from './cataloger/cataloger.ts';
import { AgentError } from './errors.ts';
import type { LayerPlaces } from './runtimes/runtime.ts';

/**
 * Reads one layer of an image where it lies: its folder, which is fastest, else its archive, else at its
 * registry. Throws AgentError `layer_unreadable` with what was wrong with each, `layer_hindered` if some of that may pass.
 */
export async function readLayer(
  cataloger: LayerCataloger,
  places: LayerPlaces,
  layer: { index: number; diffId: string },
  signal: AbortSignal,
): Promise<Fragment> {
  const reasons: string[] = [];
  let isHindered = false;
  const ways = [
    { place: 'folder', read: () => readFolder(cataloger, places, { index: layer.index, signal }) },
    { place: 'archive', read: () => readBlob(cataloger, places, { ...layer, signal }) },
  ];
  const { registry } = places;
  if (registry)
    ways.push({ place: 'registry', read: () => registry.catalog(cataloger, { ...layer, signal }) });
  for (const { place, read } of ways) {
    try {
      return await read();
    } catch (error) {
      signal.throwIfAborted();
      if (!(error instanceof SbomError || error instanceof AgentError)) throw error;
      // Registries are tried again in their own way.
      isHindered ||= place !== 'registry' && mayPass(error);
      reasons.push(`its ${place}: ${explain(error).replace(/\.$/, '')}`);
    }
  }
  throw new AgentError(isHindered ? 'layer_hindered' : 'layer_unreadable', reasons.join('; '));
}

/**
 * Whether another try may go better: the disk or the runtime failed, or the process that reads layers was ended, which may
 * have been for want of memory or time. What was not kept, or is broken, stays so.
 */
export function mayPass(error: SbomError | AgentError): boolean {
  if (error instanceof SbomError) return error.code === 'layer_unreadable';
  return error.code === 'cataloger_died' || error.code === 'runtime_failed';
}

async function readFolder(
  cataloger: LayerCataloger,
  { folders, noFolders = 'no container of the image runs here' }: LayerPlaces,
  { index, signal }: { index: number; signal: AbortSignal },
): Promise<Fragment> {
  if (!folders) throw new AgentError('layer_unreadable', noFolders);
  const { layers, container } = folders;
  const opaques = await folders.opaquesOf?.(index);
  return cataloger.catalogFolder({ layers, index, container, opaques, signal });
}

async function readBlob(
  cataloger: LayerCataloger,
  { blobs }: LayerPlaces,
  { index, diffId, signal }: { index: number; diffId: string; signal: AbortSignal },
): Promise<Fragment> {
  const blob = blobs[index];
  if (!blob || 'missing' in blob)
    throw new AgentError('layer_unreadable', blob?.missing ?? 'the image has no such layer');
  return (await cataloger.catalogBlob(blob, { diffId, signal })).fragment;
}
