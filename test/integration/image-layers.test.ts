import { mkdtempSync, rmSync } from 'node:fs';
import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { fold, openSource } from '@gatehouse/sbom';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { catalogLayers, type Progress } from '../../cli/catalog-layers.ts';
import { buildImage } from '../harness/images.ts';

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(path.join(tmpdir(), 'sources-'));
});
afterEach(() => rmSync(folder, { recursive: true }));

/** An image with a package in each layer, and more bytes in the lower ones. */
async function imageOf(names: readonly string[]): Promise<{ image: string; blobs: readonly string[] }> {
  const layers = await Promise.all(
    names.map(async (name, index) => {
      const layer = path.join(folder, `layer-${index}`);
      const place = path.join(layer, 'node_modules', name);
      await mkdir(place, { recursive: true });
      await writeFile(path.join(place, 'package.json'), JSON.stringify({ name, version: '1.0.0' }));
      await writeFile(path.join(place, 'data'), Buffer.alloc((names.length - index) * 2_000_000, name));
      return { folder: layer };
    }),
  );
  const image = path.join(folder, 'image');
  await buildImage(image, { name: 'sources.test/app:1', layers });
  const blob = (digest: string): string => path.join(image, 'blobs', ...digest.split(':'));
  const read = async (file: string) => JSON.parse(await readFile(file, 'utf8'));
  const index = await read(path.join(image, 'index.json'));
  const manifest = await read(blob(index.manifests[0].digest));
  return { image, blobs: manifest.layers.map(({ digest }: { digest: string }) => blob(digest)) };
}

async function readLayers(
  image: string,
  progress: Progress,
  signal = new AbortController().signal,
): Promise<readonly string[]> {
  await using opened = await openSource(`oci-dir:${image}`);
  const { packages } = fold(await catalogLayers(opened.layers, progress, signal));
  return packages.map(({ name, layer }) => `${name} ${layer}`);
}

describe('the layers of an image', () => {
  it('come in their order whichever is read first, and it is told how many were', async () => {
    const names = ['a', 'b', 'c', 'd', 'e'];
    const { image } = await imageOf(names);
    const heard: string[] = [];
    const found = await readLayers(image, (done, all) => heard.push(`${done} of ${all}`));
    expect(found).toEqual(['a 0', 'b 1', 'c 2', 'd 3', 'e 4']);
    expect(heard).toEqual(['1 of 5', '2 of 5', '3 of 5', '4 of 5', '5 of 5']);
  });

  it.each([0, 1, 4])('are not read any further when that with the index %d is damaged', async (damaged) => {
    const { image, blobs } = await imageOf(['a', 'b', 'c', 'd', 'e']);
    await writeFile(blobs[damaged] ?? '', 'no archive at all');
    const heard: number[] = [];
    const read = readLayers(image, (done) => heard.push(done));
    await expect(read).rejects.toMatchObject({ code: 'layer_corrupt' });
    expect(heard.length).toBeLessThan(5);
  });

  it('are not read to their end when nobody wants them any more', async () => {
    const { image } = await imageOf(['a', 'b', 'c']);
    const stop = new AbortController();
    const read = readLayers(image, () => stop.abort(new Error('enough')), stop.signal);
    await expect(read).rejects.toThrow('enough');
  });
});
