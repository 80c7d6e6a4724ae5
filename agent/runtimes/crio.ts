import { join } from 'node:path';
import type { Log } from '@gatehouse/lib/log.ts';
import type { Client } from '@grpc/grpc-js';
import { AgentError } from '../errors.ts';
import { ContainersStorage } from './containers-storage.ts';
import { Cri } from './cri.ts';
import type {
  ContainerProcess,
  ImageLayers,
  Inventory,
  LayerPlaces,
  PodRuntime,
  RuntimeImage,
} from './runtime.ts';
import { clientAt } from './socket.ts';

/** Where CRI-O is and where it keeps things. */
export interface CrioFolders {
  readonly socket: string;
  /** The folder of containers-storage that it writes to, and those that it reads as well. */
  readonly storage: readonly string[];
  /** Where this process sees the root of the node, to which these folders belong. */
  readonly hostRoot: string;
}

/** CRI-O: by CRI what there is, by its storage on disk what it is made of. */
export class Crio implements PodRuntime {
  readonly title: string;
  readonly #client: Client;
  readonly #cri: Cri;
  readonly #storage: ContainersStorage;
  readonly #folders: CrioFolders;

  private constructor(
    client: Client,
    parts: { cri: Cri; version: string; storage: ContainersStorage; folders: CrioFolders },
  ) {
    this.title = `cri-o ${parts.version}`;
    this.#client = client;
    this.#cri = parts.cri;
    this.#storage = parts.storage;
    this.#folders = parts.folders;
  }

  /**
   * Connects; undefined if what answers at the socket is not CRI-O. Throws AgentError `storage_unreadable` if it is,
   * and its storage cannot be read.
   */
  static async connect(folders: CrioFolders, log: Log, signal: AbortSignal): Promise<Crio | undefined> {
    const client = clientAt(folders.socket);
    const cri = new Cri(client);
    try {
      const { name, version } = await cri.version(signal);
      if (name === 'cri-o') {
        const roots = folders.storage.map((root) => join(folders.hostRoot, root));
        return new Crio(client, { cri, version, storage: await ContainersStorage.open(roots), folders });
      }
      log.info({ socket: folders.socket, runtime: name }, 'not CRI-O');
    } catch (err) {
      if (err instanceof AgentError) {
        client.close();
        throw err;
      }
      log.debug({ err, socket: folders.socket }, 'no runtime answers');
    }
    client.close();
    return undefined;
  }

  inventory(signal: AbortSignal): Promise<Inventory> {
    return this.#cri.inventory(signal);
  }

  runsPod(uid: string, signal: AbortSignal): Promise<boolean> {
    return this.#cri.runsPod(uid, signal);
  }

  layersOf(image: string): Promise<ImageLayers> {
    return this.#storage.layersOf(image);
  }

  placesOf(image: RuntimeImage, layers: ImageLayers, { containers }: Inventory): Promise<LayerPlaces> {
    const running = containers.filter((each) => each.running && each.image === image.digest);
    return this.#storage.placesOf(
      image.digest,
      layers,
      running.map(({ id }) => id),
    );
  }

  async processOf(container: string, signal: AbortSignal): Promise<ContainerProcess | undefined> {
    const { pid } = await this.#cri.containerInfo(container, signal);
    if (typeof pid !== 'number' || pid <= 0) return undefined;
    const { hostRoot, storage } = this.#folders;
    return { pid, node: hostRoot.replace(/\/$/, ''), storage };
  }

  /** Ends at once unless `enable_pod_events` is set, which it is not by default. */
  watch(onChange: () => void, signal: AbortSignal): Promise<void> {
    return this.#cri.watch(onChange, signal);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#client.close();
  }
}
