import { join } from 'node:path';
import type { Log } from '@gatehouse/lib/log.ts';
import { chainIds } from '@gatehouse/sbom';
import type { Client } from '@grpc/grpc-js';
import { ContainerdStore, type SnapshotName } from './containerd-store.ts';
import { Cri } from './cri.ts';
import type {
  ContainerProcess,
  ImageLayers,
  Inventory,
  LayerPlaces,
  PodRuntime,
  RuntimeContainer,
  RuntimeImage,
} from './runtime.ts';
import { clientAt } from './socket.ts';

/** Where containerd is and where it keeps things. */
export interface ContainerdFolders {
  readonly socket: string;
  /** Images and snapshots. */
  readonly root: string;
  /** What runs, with the roots of containers. */
  readonly state: string;
  /** Where this process sees the root of the node, to which the other two and all that containerd names belong. */
  readonly hostRoot: string;
}

/** The namespace that containerd keeps Kubernetes' containers in. */
const NAMESPACE = 'k8s.io';
/**
 * Before 2.0 a second reader of container events took them away from the kubelet
 * (containerd pull requests 7073 and 9661).
 */
const EVENTS_SINCE_MAJOR = 2;

/** Shims that run containers as processes of the node's own kernel; those of Kata and gVisor do not. */
const PLAIN_SHIM = /^io\.containerd\.runc\./;

/** Containers of one image mostly show the same; one that is just coming or going shows nothing. */
const MAX_CONTAINERS_ASKED = 10;

type Shown = Omit<LayerPlaces, 'blobs' | typeof Symbol.asyncDispose>;

/** containerd, by CRI and by its own services on the same socket. */
export class Containerd implements PodRuntime {
  readonly title: string;
  readonly #client: Client;
  readonly #cri: Cri;
  readonly #store: ContainerdStore;
  readonly #folders: ContainerdFolders;
  readonly #sendsEvents: boolean;
  readonly #log: Log;

  private constructor(
    client: Client,
    parts: { cri: Cri; folders: ContainerdFolders; version: string; log: Log },
  ) {
    this.title = `containerd ${parts.version}`;
    this.#client = client;
    this.#cri = parts.cri;
    const { hostRoot, root } = parts.folders;
    this.#store = new ContainerdStore(client, NAMESPACE, { hostRoot, root });
    this.#folders = parts.folders;
    this.#sendsEvents = Number.parseInt(parts.version, 10) >= EVENTS_SINCE_MAJOR;
    this.#log = parts.log;
  }

  /** Connects; undefined if what answers at the socket is not containerd with CRI. */
  static async connect(
    folders: ContainerdFolders,
    log: Log,
    signal: AbortSignal,
  ): Promise<Containerd | undefined> {
    const client = clientAt(folders.socket);
    const cri = new Cri(client);
    try {
      const { name, version } = await cri.version(signal);
      if (name === 'containerd') return new Containerd(client, { cri, folders, version, log });
      log.info({ socket: folders.socket, runtime: name }, 'not containerd');
    } catch (err) {
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

  async layersOf(image: string, signal: AbortSignal): Promise<ImageLayers> {
    return {
      ...(await this.#cri.layersOf(image, signal)),
      config: () => this.#store.readDocument(image, signal),
    };
  }

  async placesOf(
    image: RuntimeImage,
    layers: ImageLayers,
    inventory: Inventory,
    signal: AbortSignal,
  ): Promise<LayerPlaces> {
    return {
      ...(await this.#shownOf(image, layers, inventory, signal)),
      blobs: await this.#store.blobsOf(image, layers, signal),
      [Symbol.asyncDispose]: async () => undefined,
    };
  }

  async processOf(container: string, signal: AbortSignal): Promise<ContainerProcess | undefined> {
    const { pid, runtimeType } = await this.#cri.containerInfo(container, signal);
    if (typeof pid !== 'number' || pid <= 0) return undefined;
    if (typeof runtimeType !== 'string' || !PLAIN_SHIM.test(runtimeType)) return undefined;
    return { pid, node: this.#folders.hostRoot.replace(/\/$/, '') };
  }

  async watch(onChange: () => void, signal: AbortSignal): Promise<void> {
    if (this.#sendsEvents) await this.#cri.watch(onChange, signal);
  }

  /** What the containers of the image show, those that run before those that have ended. */
  async #shownOf(
    image: RuntimeImage,
    layers: ImageLayers,
    inventory: Inventory,
    signal: AbortSignal,
  ): Promise<Shown> {
    const containers = inventory.containers
      .filter((each) => each.image === image.digest)
      .sort((a, b) => Number(b.running) - Number(a.running));
    let shown: Shown = { folders: undefined };
    for (const container of containers.slice(0, MAX_CONTAINERS_ASKED)) {
      try {
        const found = await this.#shownBy(container, layers, signal);
        if (found?.folders) return found;
        shown = { ...found, ...shown };
      } catch (err) {
        // The container may be gone by now; blobs remain.
        this.#log.debug({ err, container: container.id }, 'no folders by this container');
      }
    }
    return shown;
  }

  /**
   * What a container shows: the folders of its layers, and if it runs its root, which tells which of them hide what is
   * below them. Where that matters, folders by a container that has ended do not suffice.
   */
  async #shownBy(
    { id, running }: RuntimeContainer,
    layers: ImageLayers,
    signal: AbortSignal,
  ): Promise<Shown | undefined> {
    const top = chainIds(layers.diffIds).at(-1);
    const snapshot = await this.#snapshotOf(id, signal);
    if (!snapshot || !top || !(await this.#store.isOn(top, snapshot, signal))) return undefined;
    const root = running ? this.#rootOf(id) : undefined;
    const shown = { folders: undefined, ...(root && { root }) };
    const found = await this.#store.foldersOf(snapshot, layers, top, signal);
    if (!found) {
      const noFolders = `the snapshotter ${snapshot.snapshotter} keeps no folder of each layer alone`;
      return { ...shown, noFolders };
    }
    const container = root === undefined ? undefined : { merged: root, upper: found.upper };
    return { ...shown, folders: { layers: found.layers, container } };
  }

  /** Where containerd mounts the root of a container, before what the container mounts into it for itself. */
  #rootOf(container: string): string {
    const { hostRoot, state } = this.#folders;
    return join(hostRoot, state, 'io.containerd.runtime.v2.task', NAMESPACE, container, 'rootfs');
  }

  async #snapshotOf(container: string, signal: AbortSignal): Promise<SnapshotName | undefined> {
    const { snapshotKey, snapshotter } = await this.#cri.containerInfo(container, signal);
    if (typeof snapshotKey !== 'string' || typeof snapshotter !== 'string') return undefined;
    return { snapshotter, key: snapshotKey };
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#client.close();
  }
}
