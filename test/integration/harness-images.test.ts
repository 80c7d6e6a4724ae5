import { createHash } from 'node:crypto';
import { mkdir, mkdtemp, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { gunzipSync, zstdDecompressSync } from 'node:zlib';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { debianRoot } from '../harness/base-images.ts';
import { buildImage, type Image } from '../harness/images.ts';
import { runOk } from '../harness/process.ts';

let folder: string;
let base: Image;

const layer = async (name: string, content: string): Promise<{ folder: string }> => {
  const layerFolder = path.join(folder, name);
  await mkdir(path.join(layerFolder, 'etc'), { recursive: true });
  await writeFile(path.join(layerFolder, 'etc', name), content);
  return { folder: layerFolder };
};

beforeAll(async () => {
  folder = await mkdtemp(path.join(tmpdir(), 'harness-images-'));
  const config = { Cmd: ['/bin/base'], Env: ['PATH=/bin'] };
  base = await buildImage(path.join(folder, 'base'), {
    name: 'gatehouse.test/base:1',
    layers: [await layer('bottom', 'one')],
    config,
  });
});

afterAll(() => rm(folder, { recursive: true }));

const digestOf = (bytes: Uint8Array): string => `sha256:${createHash('sha256').update(bytes).digest('hex')}`;
const blobOf = (image: Image, digest: string): string =>
  path.join(image.folder, 'blobs', ...digest.split(':'));
const read = async (image: Image, digest: string) =>
  JSON.parse(await readFile(blobOf(image, digest), 'utf8'));

it('names an image by the digests of its manifest and of its config', async () => {
  for (const digest of [base.digest, base.id])
    expect(digestOf(await readFile(blobOf(base, digest)))).toBe(digest);
  const { manifests } = JSON.parse(await readFile(path.join(base.folder, 'index.json'), 'utf8'));
  expect(manifests[0]).toMatchObject({
    digest: base.digest,
    annotations: { 'io.containerd.image.name': 'gatehouse.test/base:1' },
  });
  expect(await read(base, base.digest)).toMatchObject({ config: { digest: base.id } });
});

it('compresses layers as told, and keeps the digest of what is within', async () => {
  const layers = [
    { ...(await layer('zipped', 'two')), compression: 'gzip' },
    { ...(await layer('newer', 'three')), compression: 'zstd' },
    { ...(await layer('plain', 'four')), compression: 'none' },
  ] as const;
  const image = await buildImage(path.join(folder, 'compressed'), {
    name: 'gatehouse.test/compressed:1',
    layers,
  });
  const manifest = await read(image, image.digest);
  const open = [gunzipSync, zstdDecompressSync, (bytes: Uint8Array) => bytes];
  const diffIds: string[] = [];
  for (const [at, { digest, size, mediaType }] of manifest.layers.entries()) {
    const bytes = await readFile(blobOf(image, digest));
    expect(bytes.length).toBe(size);
    expect(digestOf(bytes)).toBe(digest);
    expect(mediaType).toBe(`application/vnd.oci.image.layer.v1.tar${['+gzip', '+zstd', ''][at]}`);
    diffIds.push(digestOf(open[at]?.(bytes) ?? Buffer.of()));
  }
  expect(diffIds).toEqual(image.diffIds);
  expect((await read(image, image.id)).rootfs.diff_ids).toEqual(image.diffIds);
});

it('puts layers on a base without copying those of the base', async () => {
  const image = await buildImage(path.join(folder, 'derived'), {
    name: 'gatehouse.test/derived:1',
    base,
    layers: [await layer('top', 'five')],
    config: { Cmd: ['/bin/derived'] },
  });
  expect(image.diffIds[0]).toBe(base.diffIds[0]);
  expect((await read(image, image.id)).config).toEqual({ Cmd: ['/bin/derived'], Env: ['PATH=/bin'] });
  const { layers } = await read(image, image.digest);
  expect((await stat(blobOf(image, layers[0].digest))).nlink).toBe(2);
});

it('gives the same bytes for the same files, whoever wrote them and when', async () => {
  const build = async (name: string): Promise<Image> =>
    buildImage(path.join(folder, name), {
      name: 'gatehouse.test/same:1',
      layers: [await layer('same', 'six')],
    });
  const first = await build('same-1');
  await rm(path.join(folder, 'same'), { recursive: true });
  expect((await build('same-2')).digest).toBe(first.digest);
});

it('makes a real Debian root, once', async () => {
  const root = await debianRoot(['libssl3']);
  const status = await runOk(['tar', '-xOf', root, './var/lib/dpkg/status']);
  expect(status).toMatch(/^Package: libssl3$/m);
  expect(await debianRoot(['libssl3'])).toBe(root);
});
