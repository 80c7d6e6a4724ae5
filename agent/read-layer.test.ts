import { SbomError } from '@gatehouse/sbom';
import { describe, expect, it } from 'vitest';
import type { LayerCataloger } from './cataloger/cataloger.ts';
import { AgentError } from './errors.ts';
import { readLayer } from './read-layer.ts';
import type { LayerPlaces } from './runtimes/runtime.ts';
import { fragmentOf } from './testing/node.ts';

const layer = { index: 0, diffId: 'sha256:d' };
const unused = () => Promise.reject(new Error('nobody asks for this'));
const folders = { layers: ['/snapshots/1/fs'], container: undefined };
const blob = { name: 'sha256:d', open: unused as never };
const signal = new AbortController().signal;

function places(where: Partial<LayerPlaces>): LayerPlaces {
  return {
    folders: undefined,
    blobs: [{ missing: 'the blob is gone' }],
    [Symbol.asyncDispose]: unused,
    ...where,
  };
}

/** Reads layers from where it is told, or fails as it is told. */
function cataloger(way: { folder?: string | Error; blob?: string | Error }): LayerCataloger {
  const come = (what: string | Error | undefined) =>
    typeof what === 'string'
      ? Promise.resolve(fragmentOf(what))
      : Promise.reject(what ?? new Error('unasked'));
  return {
    catalogFolder: () => come(way.folder),
    catalogRoot: unused,
    catalogBlob: async () => ({ fragment: await come(way.blob) }),
  };
}

describe('a layer', () => {
  it('is read from its folder, which is fastest, even where there is an archive', async () => {
    const fragment = await readLayer(
      cataloger({ folder: 'from the folder', blob: 'from the archive' }),
      places({ folders, blobs: [blob] }),
      layer,
      signal,
    );
    expect(fragment.files).toEqual(['from the folder']);
  });

  it.each([
    new SbomError('opacity_unknown', 'nothing shows it'),
    new AgentError('cataloger_died', 'it took too much memory'),
  ])('is read from its archive where its folder does not do: $code', async (error) => {
    const fragment = await readLayer(
      cataloger({ folder: error, blob: 'from the archive' }),
      places({ folders, blobs: [blob] }),
      layer,
      signal,
    );
    expect(fragment.files).toEqual(['from the archive']);
  });

  it.each([
    ['for good', new SbomError('layer_corrupt', 'the folder has holes'), 'layer_unreadable'],
    ['for now', new SbomError('layer_unreadable', 'the folder has holes'), 'layer_hindered'],
    ['for now', new AgentError('cataloger_died', 'the folder has holes'), 'layer_hindered'],
  ])('is unreadable %s with what was wrong at each place: %s', async (_how, folder, code) => {
    const reading = readLayer(cataloger({ folder }), places({ folders }), layer, signal);
    await expect(reading).rejects.toMatchObject({
      code,
      message: expect.stringMatching(/the folder has holes.*the blob is gone/),
    });
  });

  it('is not called unreadable for a mistake of ours, nor when the agent ends', async () => {
    const mistaken = readLayer(
      cataloger({ folder: new TypeError('a mistake'), blob: 'from the archive' }),
      places({ folders, blobs: [blob] }),
      layer,
      signal,
    );
    await expect(mistaken).rejects.toThrow(TypeError);
    const ended = readLayer(
      cataloger({
        folder: new AgentError('cataloger_died', 'ended with the agent'),
        blob: 'from the archive',
      }),
      places({ folders, blobs: [blob] }),
      layer,
      AbortSignal.abort(),
    );
    await expect(ended).rejects.toMatchObject({ name: 'AbortError' });
  });
});
