import { mkdir, mkdtempDisposable, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import {
  ContainersStorage,
  type ImageLayers,
  inThisProcess,
  type LayerPlaces,
  readLayer,
} from '@gatehouse/agent/main.ts';
import { catalogBlob, encodeFragment, openSource } from '@gatehouse/sbom';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { busyboxImage } from '../harness/base-images.ts';
import { buildImage, type Image } from '../harness/images.ts';
import { run, runOk } from '../harness/process.ts';
import { need } from '../harness/tools.ts';
import { debian, npmPackage } from './layers.ts';

const gatehouse = path.join(import.meta.dirname, '../../node_modules/.bin/gatehouse');
const NAME = 'registry.test/app:1';

type Folder = Awaited<ReturnType<typeof mkdtempDisposable>>;
let folder: Folder;
let image: Image;
/** What its archives say, layer by layer. */
let expected: readonly Buffer[];

beforeAll(async () => {
  folder = await mkdtempDisposable(path.join(tmpdir(), 'gatehouse-storage-'));
  const base = await busyboxImage(path.join(folder.path, 'busybox'));
  const layers: Readonly<Record<string, string>>[] = [
    {
      ...debian('adduser 3.134', 'bash 5.2.15-2'),
      ...npmPackage('old', '1.0.0'),
      ...npmPackage('kept', '1.0.0'),
    },
    // A whiteout, and a folder that hides what is below it.
    { 'srv/node_modules/.wh.old': '', 'var/lib/.wh..wh..opq': '', 'var/lib/new': 'x' },
    { ...npmPackage('new', '1.0.0'), 'srv/.wh..wh..opq': '', 'var/lib/more': 'y' },
  ];
  image = await buildImage(path.join(folder.path, 'image'), {
    name: NAME,
    base,
    layers: await Promise.all(
      layers.map(async (files, index) => ({ folder: await lay(`layer-${index}`, files) })),
    ),
  });
  await using source = await openSource(`oci-dir:${image.folder}`);
  const fragments: Buffer[] = [];
  for (const layer of source.layers)
    fragments.push(await encodeFragment((await catalogBlob(layer, { diffId: layer.diffId })).fragment));
  expected = fragments;
});

afterAll(async () => {
  await folder[Symbol.asyncDispose]();
});

async function lay(name: string, files: Readonly<Record<string, string>>): Promise<string> {
  const root = path.join(folder.path, name);
  for (const [file, content] of Object.entries(files)) {
    await mkdir(path.dirname(path.join(root, file)), { recursive: true });
    await writeFile(path.join(root, file), content);
  }
  return root;
}

/** Podman and Buildah may mount the folder of a driver on itself, and leave it so. */
async function unmount(root: string, driver: string): Promise<void> {
  await run(['umount', '--lazy', path.join(root, driver)]);
}

/** What each layer says where it is read. */
async function fragmentsOf(places: LayerPlaces, { diffIds }: ImageLayers): Promise<readonly Buffer[]> {
  const found: Buffer[] = [];
  for (const [index, diffId] of diffIds.entries()) {
    const fragment = await readLayer(inThisProcess, places, { index, diffId }, AbortSignal.timeout(60_000));
    found.push(await encodeFragment(fragment));
  }
  return found;
}

describe.each<{ writer: 'podman' | 'buildah'; driver: 'overlay' | 'vfs' }>([
  { writer: 'podman', driver: 'overlay' },
  { writer: 'buildah', driver: 'overlay' },
  { writer: 'podman', driver: 'vfs' },
])('what $writer has stored with $driver', ({ writer, driver }) => {
  let root: string;
  let command: readonly string[];
  let storage: ContainersStorage;
  let layers: ImageLayers;

  beforeAll(async () => {
    const { [writer]: program } = await need(writer);
    root = path.join(folder.path, `${writer}-${driver}`);
    const run = path.join(folder.path, `${writer}-${driver}-run`);
    command = [program, '--root', root, '--runroot', run, '--storage-driver', driver];
    // From there, for a name is made of the path, and names have no capital letters.
    await runOk([...command, 'pull', '--quiet', 'oci:image'], { cwd: folder.path });
    await runOk([...command, 'tag', image.id.replace('sha256:', ''), NAME]);
    storage = await ContainersStorage.open([root]);
    layers = await storage.layersOf(image.id);
  });

  afterAll(async () => {
    await unmount(root, driver);
  });

  it('is an image by its configuration, with its names', async () => {
    const images = await storage.images();
    expect(images).toHaveLength(1);
    expect(images[0]?.digest).toBe(image.id);
    expect(images[0]?.aliases).toEqual(expect.arrayContaining([NAME, `registry.test/app@${image.digest}`]));
    expect(layers).toMatchObject({ diffIds: image.diffIds });
  });

  it('says of each layer what its archive says, to the byte, with no container', async () => {
    await using places = await storage.placesOf(image.id, layers, []);
    expect(places.folders === undefined).toBe(driver === 'vfs');
    expect(await fragmentsOf(places, layers)).toEqual(expected);
    expect(await fragmentsOf({ ...places, folders: undefined }, layers)).toEqual(expected);
    if (places.folders) expect(await fragmentsOf({ ...places, blobs: [] }, layers)).toEqual(expected);
  });

  it('is a source of the command line', async () => {
    const purls = await runOk([
      gatehouse,
      'sbom',
      `containers-storage:[${driver}@${root}]${NAME}`,
      '-o',
      'purls',
    ]);
    // Busybox by its own texts; the package database is hidden, and so is all but one package below srv.
    expect(purls.trim().split('\n')).toEqual([expect.stringContaining('busybox'), 'pkg:npm/new@1.0.0']);
    const unknown = await run([gatehouse, 'sbom', `containers-storage:[${root}]none:1`]);
    expect(unknown).toMatchObject({ code: 1, stderr: expect.stringContaining('It has ') });
  });

  it('is read by archives that are put together anew where opaque folders cannot be told, else not at all', async () => {
    const kept = path.join(root, `${driver}-layers`);
    for (const file of await readdir(kept))
      if (file.endsWith('.tar-split.gz')) await rm(path.join(kept, file));
    await using places = await storage.placesOf(image.id, layers, []);
    const [bottom = '', , , top = ''] = layers.diffIds;
    const read = (index: number, diffId: string) =>
      readLayer(inThisProcess, places, { index, diffId }, AbortSignal.timeout(60_000));
    if (driver === 'overlay') expect((await read(0, bottom)).opacity).toBe('chain');
    else await expect(read(0, bottom)).rejects.toMatchObject({ code: 'layer_unreadable' });
    await expect(read(3, top)).rejects.toThrow(/tar-split.gz, which the archive could be made of/);
  });
});

describe('images in containers-storage', () => {
  it('may have layers in another storage that is only read', async () => {
    const { podman } = await need('podman');
    const [common, own] = ['common', 'own'].map((name) => path.join(folder.path, name));
    if (!common || !own) throw new Error('no folders');
    const run = ['--runroot', path.join(folder.path, 'run'), '--storage-driver', 'overlay'];
    const above = await buildImage(path.join(folder.path, 'above'), {
      name: 'registry.test/above:1',
      base: image,
      layers: [{ folder: await lay('above-files', npmPackage('above', '1.0.0')) }],
    });
    await runOk([podman, '--root', common, ...run, 'pull', '--quiet', 'oci:image'], { cwd: folder.path });
    const both = [podman, '--root', own, ...run, '--storage-opt', `additionalimagestore=${common}`];
    await runOk([...both, 'pull', '--quiet', 'oci:above'], { cwd: folder.path });
    for (const root of [common, own]) await unmount(root, 'overlay');

    const alone = await ContainersStorage.open([own]);
    const layers = await alone.layersOf(above.id);
    await using lost = await alone.placesOf(above.id, layers, []);
    expect(lost).toMatchObject({
      folders: undefined,
      blobs: expect.arrayContaining([{ missing: expect.any(String) }]),
    });
    const storage = await ContainersStorage.open([own, common]);
    expect((await storage.images()).map(({ digest }) => digest)).toEqual([above.id, image.id]);
    await using places = await storage.placesOf(above.id, layers, []);
    expect((await fragmentsOf(places, layers)).slice(0, -1)).toEqual(expected);
    expect(places.folders?.layers.map((each) => each.startsWith(`${own}/`))).toEqual([
      false,
      false,
      false,
      false,
      true,
    ]);
  });

  it('are told from what was pulled in parts, which has no diff id, and from other layers', async () => {
    const root = path.join(folder.path, 'podman-overlay');
    const file = path.join(root, 'overlay-layers/layers.json');
    const records = JSON.parse(await readFile(file, 'utf8')) as Record<string, string>[];
    const top = records.find((each) => each['diff-digest'] === image.diffIds.at(-1)) ?? {};
    const places = async () => {
      await writeFile(file, JSON.stringify(records));
      const storage = await ContainersStorage.open([root]);
      return storage.placesOf(image.id, await storage.layersOf(image.id), []);
    };
    top['toc-digest'] = String(top['diff-digest']);
    delete top['diff-digest'];
    expect(await places()).toMatchObject({ folders: undefined });
    expect((await places()).blobs.at(-1)).toMatchObject({ missing: expect.stringContaining('zstd:chunked') });
    top['diff-digest'] = image.diffIds[0] ?? '';
    expect((await places()).blobs.at(-1)).toMatchObject({
      missing: expect.stringContaining('has the diff id'),
    });
  });

  it('are in no other folder', async () => {
    await expect(ContainersStorage.open([folder.path])).rejects.toMatchObject({
      code: 'storage_unreadable',
      message: `there is no containers-storage of images in ${folder.path}`,
    });
  });
});
