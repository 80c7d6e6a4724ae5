import { readFile, stat } from 'node:fs/promises';
import { join } from 'node:path';
import {
  describePlatform,
  parseImageConfig,
  type TarSplit,
  tarSplitBlob,
  tarSplitOpaques,
} from '@gatehouse/sbom';
import { AgentError } from '../errors.ts';
import type { ImageLayers, LayerFolders, LayerPlaces, RuntimeImage } from './runtime.ts';
import {
  exists,
  openStore,
  readRecords,
  readUpTo,
  type StorageDriver,
  type Store,
} from './storage-folder.ts';
import {
  parseContainers,
  parseImages,
  parseLayers,
  type StoredImage,
  type StoredLayer,
} from './stored-records.ts';

interface FoundLayer {
  readonly store: Store;
  readonly layer: StoredLayer;
}

/** As of manifests, see containerd-store.ts. */
const MAX_CONFIG_BYTES = 4 * 1024 * 1024;
/** Overlayfs takes 500 lower folders. */
const MAX_LAYERS = 500;

/**
 * The folders in which CRI-O, Podman and Buildah keep images (github.com/containers/storage): one that is written to,
 * and others that are read as well, as `additionalimagestores` in storage.conf names them. Writers put each file of
 * records into place whole, so it is read without their locks.
 */
export class ContainersStorage {
  readonly #stores: readonly Store[];

  private constructor(stores: readonly Store[]) {
    this.#stores = stores;
  }

  /** Throws AgentError `storage_unreadable` if one of the folders is none, or not of a driver that can be read. */
  static async open(roots: readonly string[], driver?: StorageDriver): Promise<ContainersStorage> {
    return new ContainersStorage(await Promise.all(roots.map((root) => openStore(root, driver))));
  }

  /** All images that have a name or a container could be of. */
  async images(): Promise<readonly RuntimeImage[]> {
    const images = await this.#images();
    return images.values().map(toImage).toArray();
  }

  /** What an image is made of. Throws AgentError `image_gone` or `storage_unreadable`. */
  async layersOf(image: string): Promise<ImageLayers> {
    const config = await this.configOf(image);
    if (config === undefined)
      throw new AgentError('storage_unreadable', `the configuration of image ${image} is not kept`);
    try {
      const { platform, diffIds } = parseImageConfig(config);
      return { platform: describePlatform(platform), diffIds, config: async () => config };
    } catch (cause) {
      throw new AgentError('storage_unreadable', `the configuration of image ${image} is none`, { cause });
    }
  }

  /** The configuration of an image as it is; undefined if it is not kept. Throws AgentError `image_gone`. */
  async configOf(image: string): Promise<Buffer | undefined> {
    const { store, record } = await this.#find(image);
    const name = `=${Buffer.from(image).toString('base64')}`;
    const file = join(store.root, `${store.driver}-images`, record.id, name);
    return readUpTo(MAX_CONFIG_BYTES, file);
  }

  /** `running` are the ids of running containers of the image. */
  async placesOf(image: string, { diffIds }: ImageLayers, running: readonly string[]): Promise<LayerPlaces> {
    const { record } = await this.#find(image);
    const chain = await this.#chainOf(record);
    const layers = chain.length === diffIds.length ? chain : [];
    const splits = diffIds.map((diffId, index) => toTarSplit(layers[index], diffId));
    const container = await this.#rootOf(running);
    return {
      folders: await this.#foldersOf(layers, splits, container),
      noFolders: 'the storage has no plain folder for each layer of the image',
      blobs: await Promise.all(splits.map(toBlob)),
      ...(container && { root: container.merged }),
      [Symbol.asyncDispose]: async () => undefined,
    };
  }

  async #find(image: string): Promise<{ store: Store; record: StoredImage }> {
    const found = (await this.#images()).get(image);
    if (found) return found;
    throw new AgentError('image_gone', `image ${image} is no longer in ${this.#stores[0]?.root}`);
  }

  /** By the digest of the configuration, which is the id of the image with nothing before it. */
  async #images(): Promise<ReadonlyMap<string, { store: Store; record: StoredImage }>> {
    const found = new Map<string, { store: Store; record: StoredImage }>();
    for (const store of this.#stores) {
      for (const record of await readRecords(store, 'images/images.json', parseImages)) {
        const digest = `sha256:${record.id}`;
        if (!found.has(digest)) found.set(digest, { store, record });
      }
    }
    return found;
  }

  /** The layers of an image from the bottom to the top, those of other stores included; none if one is not there. */
  async #chainOf({ layer: top }: StoredImage): Promise<readonly FoundLayer[]> {
    const known = new Map<string, FoundLayer>();
    for (const store of this.#stores) {
      for (const file of ['layers/layers.json', 'layers/volatile-layers.json']) {
        for (const layer of await readRecords(store, file, parseLayers)) {
          if (!known.has(layer.id)) known.set(layer.id, { store, layer });
        }
      }
    }
    const chain: FoundLayer[] = [];
    for (let id = top; id !== undefined; ) {
      const found = known.get(id);
      if (!found || chain.length >= MAX_LAYERS) return [];
      chain.push(found);
      id = found.layer.parent;
    }
    return chain.reverse();
  }

  async #foldersOf(
    chain: readonly FoundLayer[],
    splits: readonly (TarSplit | { missing: string })[],
    container: LayerFolders['container'],
  ): Promise<LayerFolders | undefined> {
    const plain = await Promise.all(chain.map((found, index) => isPlain(found, splits[index])));
    if (chain.length === 0 || plain.includes(false)) return undefined;
    return {
      layers: chain.map(folderOf),
      container,
      opaquesOf: async (index) => {
        const split = splits[index];
        return split && 'file' in split && (await exists(split.file)) ? tarSplitOpaques(split) : undefined;
      },
    };
  }

  /** The root of a container, where it is mounted and this process sees that. */
  async #rootOf(running: readonly string[]): Promise<LayerFolders['container']> {
    const [store] = this.#stores;
    if (store?.driver !== 'overlay') return undefined;
    for (const file of ['containers/containers.json', 'containers/volatile-containers.json']) {
      for (const { id, layer } of await readRecords(store, file, parseContainers)) {
        const folder = join(store.root, 'overlay', layer);
        const merged = join(folder, 'merged');
        if (running.includes(id) && (await isMounted(merged, folder)))
          return { merged, upper: join(folder, 'diff') };
      }
    }
    return undefined;
  }
}

function toImage({ record: { id, names, digests } }: { readonly record: StoredImage }): RuntimeImage {
  const repositories = new Set(names.map((name) => name.replace(/@.*$|:[^:/]*$/g, '')));
  const byDigest = [...repositories].flatMap((repository) =>
    digests.map((digest) => `${repository}@${digest}`),
  );
  return { digest: `sha256:${id}`, aliases: [...new Set([...names, ...byDigest])] };
}

function folderOf({ store, layer }: FoundLayer): string {
  return store.driver === 'overlay'
    ? join(store.root, 'overlay', layer.id, 'diff')
    : join(store.root, 'vfs', 'dir', layer.id);
}

/** Whether the folder of a layer is what overlayfs takes for a layer: entries, and devices 0:0 for whiteouts. */
async function isPlain(
  found: FoundLayer,
  split: TarSplit | { missing: string } | undefined,
): Promise<boolean> {
  const { store, layer } = found;
  if (store.driver !== 'overlay' || !split || 'missing' in split) return false;
  const [isFolder, isComposed, program] = await Promise.all([
    exists(folderOf(found)),
    exists(join(store.root, 'overlay', layer.id, 'composefs-data')),
    // A program in the kernel's place, such as fuse-overlayfs, may have whiteouts of its own kind.
    readFile(join(store.root, 'overlay', '.has-mount-program'), 'utf8').catch(() => 'false'),
  ]);
  return isFolder && !isComposed && program.trim() !== 'true';
}

function toTarSplit(found: FoundLayer | undefined, diffId: string): TarSplit | { missing: string } {
  if (!found) return { missing: 'the storage has other layers than the image' };
  const { store, layer } = found;
  if (layer.diffDigest === undefined && layer.tocDigest !== undefined)
    return {
      missing: `the layer ${layer.id} was pulled in parts (zstd:chunked), and has no diff id on this node`,
    };
  if (layer.diffDigest !== diffId)
    return {
      missing: `the layer ${layer.id} has the diff id ${layer.diffDigest ?? '(none)'}, not ${diffId}`,
    };
  const file = join(store.root, `${store.driver}-layers`, `${layer.id}.tar-split.gz`);
  return { name: diffId, file, folder: folderOf(found) };
}

async function toBlob(split: TarSplit | { missing: string }): Promise<LayerPlaces['blobs'][number]> {
  if ('missing' in split) return split;
  return (await exists(split.file))
    ? tarSplitBlob(split)
    : { missing: `the node has not kept ${split.file}, which the archive could be made of` };
}

async function isMounted(folder: string, parent: string): Promise<boolean> {
  const [inner, outer] = await Promise.all([folder, parent].map((each) => stat(each).catch(() => undefined)));
  return inner !== undefined && inner.dev !== outer?.dev;
}
