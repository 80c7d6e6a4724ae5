import { readFile, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { chainIds, type TarSplit, tarSplitBlob, tarSplitOpaques } from '@gatehouse/sbom';
import type { Client } from '@grpc/grpc-js';
import type Dockerode from 'dockerode';
import { ContainerdStore } from './containerd-store.ts';
import type { ImageLayers, LayerPlaces, RuntimeImage } from './runtime.ts';
import { clientAt } from './socket.ts';

/** What Docker says that the layers of the image are. */
type LayersOf = () => Promise<readonly string[]>;
type Places = Pick<LayerPlaces, 'folders' | 'blobs'>;

/** Where a Docker keeps images: a graph driver of its own, or containerd. */
export interface DockerStore extends Disposable {
  /** The digest of the configuration of an image that Docker calls `id`; undefined if that cannot be told. */
  configDigest(id: string, layersOf: LayersOf, signal: AbortSignal): Promise<string | undefined>;
  /** A configuration as it is; Docker gives it to nobody but in an export of the whole image. */
  config(image: string, signal: AbortSignal): Promise<Buffer | undefined>;
  /** `inspected` is what Docker says of the image. */
  places(
    inspected: Dockerode.ImageInspectInfo,
    image: RuntimeImage,
    layers: ImageLayers,
    signal: AbortSignal,
  ): Promise<Places>;
}

/** What Docker says of itself, as far as it matters here. */
export interface DockerInfo {
  readonly DockerRootDir: string;
  readonly Driver: string;
  readonly DriverStatus?: readonly (readonly string[])[] | null;
  /** Since Docker 27. */
  readonly Containerd?: { readonly Address?: string };
}

/** Whether images lie in containerd, which is a setting since Docker 24 and the default since 29. */
export function isInContainerd({ DriverStatus }: DockerInfo): boolean {
  return DriverStatus?.some(([, value]) => value?.startsWith('io.containerd.snapshotter.')) ?? false;
}

/** What overlay2 says of the folders of an image or a container. */
export interface OverlayData {
  readonly LowerDir?: string;
  readonly UpperDir?: string;
  readonly MergedDir?: string;
}

/** Docker's own: an image is called by the digest of its configuration, and each layer has a folder. */
export class GraphStore implements DockerStore {
  /** Of what Docker knows of images. */
  readonly #root: string;

  constructor({ DockerRootDir, Driver }: DockerInfo) {
    this.#root = join(DockerRootDir, 'image', Driver);
  }

  async configDigest(id: string): Promise<string> {
    return id;
  }

  async config(image: string): Promise<Buffer | undefined> {
    const file = join(this.#root, 'imagedb', 'content', ...image.split(':'));
    return readFile(file).catch(() => undefined);
  }

  /** Layers of overlay2 are plain folders; archives are put together from them and what is kept of the archive. */
  async places(
    { GraphDriver }: Dockerode.ImageInspectInfo,
    _image: RuntimeImage,
    { diffIds }: ImageLayers,
  ): Promise<Places> {
    const missing = 'Docker keeps no archives';
    const nothing = { folders: undefined, blobs: diffIds.map(() => ({ missing })) };
    if (GraphDriver?.Name !== 'overlay2') return nothing;
    const { UpperDir, LowerDir } = GraphDriver.Data as OverlayData;
    // The topmost layer stands apart; then the others follow from the top on.
    const layers = [UpperDir ?? [], LowerDir?.split(':') ?? []].flat().reverse();
    if (layers.length !== diffIds.length) return nothing;
    const splits = await Promise.all(
      chainIds(diffIds).map((chain, index) => this.#splitOf(chain, layers[index])),
    );
    return {
      folders: {
        layers,
        container: undefined,
        opaquesOf: async (index) => splits[index] && tarSplitOpaques(splits[index]),
      },
      blobs: splits.map((split) => (split ? tarSplitBlob(split) : { missing })),
    };
  }

  async #splitOf(chainId: string, folder = ''): Promise<TarSplit | undefined> {
    const file = join(this.#root, 'layerdb', ...chainId.split(':'), 'tar-split.json.gz');
    const isKept = await stat(file).then(
      () => true,
      () => false,
    );
    return isKept ? { name: chainId, file, folder } : undefined;
  }

  [Symbol.dispose](): void {
    // It holds nothing open.
  }
}

/** Docker's namespace in containerd. */
const NAMESPACE = 'moby';

/** containerd's: an image is called by the digest of its manifest or index, and archives are kept. */
export class ContainerdImageStore implements DockerStore {
  readonly #client: Client;
  readonly #store: ContainerdStore;

  /** `root` is the folder of that containerd. */
  constructor(socket: string, root: string) {
    this.#client = clientAt(socket);
    this.#store = new ContainerdStore(this.#client, NAMESPACE, { hostRoot: '/', root });
  }

  async configDigest(id: string, layersOf: LayersOf, signal: AbortSignal): Promise<string | undefined> {
    return this.#store.configAt(id, await layersOf(), signal);
  }

  config(image: string, signal: AbortSignal): Promise<Buffer | undefined> {
    return this.#store.readDocument(image, signal);
  }

  async places(
    { Id }: Dockerode.ImageInspectInfo,
    image: RuntimeImage,
    layers: ImageLayers,
    signal: AbortSignal,
  ): Promise<Places> {
    return { folders: undefined, blobs: await this.#store.blobsAt(Id, image, layers, signal) };
  }

  [Symbol.dispose](): void {
    this.#client.close();
  }
}
