import { join } from 'node:path';
import type { Readable } from 'node:stream';
import type { Log } from '@gatehouse/lib/log.ts';
import type Dockerode from 'dockerode';
import { AgentError } from '../errors.ts';
import { ExportedImage } from './docker-export.ts';
import {
  ContainerdImageStore,
  type DockerInfo,
  type DockerStore,
  GraphStore,
  isInContainerd,
  type OverlayData,
} from './docker-store.ts';
import type {
  ContainerProcess,
  ImageLayers,
  Inventory,
  LayerFolders,
  LayerPlaces,
  PodRuntime,
  RuntimeImage,
} from './runtime.ts';

/** Where Docker listens; and the containerd of the machine, which it may keep images in. */
export interface DockerSockets {
  readonly socket: string;
  readonly containerdSocket: string;
  readonly containerdRoot: string;
}

/** Runtimes that run containers as processes of the machine's own kernel; those of Kata and gVisor do not. */
const PLAIN_RUNTIME = /^(runc|crun|io\.containerd\.runc\.v\d+)$/;
/** Labels that cri-dockerd, through which a kubelet may use Docker, gives to containers of pods begin so. */
const POD = 'io.kubernetes.';

/** Docker, by its API. */
export class Docker implements PodRuntime {
  readonly title: string;
  readonly #docker: Dockerode;
  readonly #store: DockerStore;
  readonly #log: Log;
  /** What Docker calls each image, by the digest of its configuration. */
  #ids = new Map<string, string>();
  /** The other way round, for images that are there. */
  #digests = new Map<string, string>();

  private constructor(docker: Dockerode, parts: { version: string; store: DockerStore; log: Log }) {
    this.title = `docker ${parts.version}`;
    this.#docker = docker;
    this.#store = parts.store;
    this.#log = parts.log;
  }

  /** Connects; undefined if nothing answers at the socket. */
  static async connect(sockets: DockerSockets, log: Log): Promise<Docker | undefined> {
    // It takes 14 MB, which most nodes of a cluster have no use for.
    const { default: Client } = await import('dockerode');
    const docker = new Client({ socketPath: sockets.socket });
    try {
      const [{ Version: version }, info] = await Promise.all([docker.version(), docker.info()]);
      return new Docker(docker, { version, store: storeOf(info as DockerInfo, sockets), log });
    } catch (err) {
      log.debug({ err, socket: sockets.socket }, 'no Docker answers');
      return undefined;
    }
  }

  async inventory(signal: AbortSignal): Promise<Inventory> {
    const [listed, containers] = await Promise.all([
      this.#docker.listImages(),
      this.#docker.listContainers({ all: true }),
    ]);
    await this.#learnDigests(
      listed.map(({ Id }) => Id),
      signal,
    );
    const digestOf = (id: string): string => this.#digests.get(id) ?? id;
    // An index and a manifest in it are two images to Docker, and one by its configuration.
    const images = Map.groupBy(listed, ({ Id }) => digestOf(Id));
    return {
      images: [...images].map(([digest, same]) => ({
        digest,
        aliases: same.flatMap(({ Id, RepoTags, RepoDigests }) => [
          ...(RepoTags ?? []),
          ...(RepoDigests ?? []),
          ...(Id === digest ? [] : [Id]),
        ]),
      })),
      containers: containers
        .filter(({ Labels }) => Labels[`${POD}docker.type`] !== 'podsandbox')
        .map(({ Id, Names, ImageID, State, Labels }) => ({
          id: Id,
          name: Labels[`${POD}container.name`] ?? (Names[0] ?? '').replace(/^\//, ''),
          namespace: Labels[`${POD}pod.namespace`] ?? '',
          pod: Labels[`${POD}pod.name`] ?? '',
          podUid: Labels[`${POD}pod.uid`] ?? '',
          image: digestOf(ImageID),
          running: State === 'running',
        })),
    };
  }

  async runsPod(uid: string): Promise<boolean> {
    const filters = { label: [`${POD}pod.uid=${uid}`] };
    return (await this.#docker.listContainers({ all: true, filters })).length > 0;
  }

  async #learnDigests(ids: readonly string[], signal: AbortSignal): Promise<void> {
    const digests = new Map<string, string>();
    for (const id of ids) {
      const digest = this.#digests.get(id) ?? (await this.#digestOf(id, signal));
      if (digest !== undefined) digests.set(id, digest);
    }
    this.#digests = digests;
    this.#ids = new Map([...digests].map(([id, digest]) => [digest, id]));
  }

  async #digestOf(id: string, signal: AbortSignal): Promise<string | undefined> {
    try {
      const digest = await this.#store.configDigest(id, () => this.#layersOf(id), signal);
      if (digest === undefined) this.#log.debug({ image: id }, 'an image of another platform, or in part');
      return digest;
    } catch (err) {
      signal.throwIfAborted();
      this.#log.warn({ err, image: id }, 'this image is not known by its configuration');
      return undefined;
    }
  }

  async #layersOf(id: string): Promise<readonly string[]> {
    return (await this.#inspect(id)).RootFS.Layers ?? [];
  }

  async layersOf(image: string, signal: AbortSignal): Promise<ImageLayers> {
    const { Os, Architecture, RootFS } = await this.#inspect(this.#idOf(image));
    return {
      platform: `${Os}/${Architecture}`,
      diffIds: RootFS.Layers ?? [],
      config: () => this.#store.config(image, signal),
    };
  }

  async placesOf(
    image: RuntimeImage,
    layers: ImageLayers,
    inventory: Inventory,
    signal: AbortSignal,
  ): Promise<LayerPlaces> {
    const id = this.#idOf(image.digest);
    const { folders, blobs } = await this.#store.places(await this.#inspect(id), image, layers, signal);
    // To have an archive made costs the disk a copy of the image, so that is the last resort.
    const exported = new ExportedImage(this.#docker, id, { signal });
    return {
      folders: folders && { ...folders, container: await this.#rootOf(image, inventory) },
      blobs: blobs.map((blob, index) =>
        'missing' in blob ? { name: layers.diffIds[index] ?? '', open: () => exported.layer(index) } : blob,
      ),
      [Symbol.asyncDispose]: () => exported[Symbol.asyncDispose](),
    };
  }

  async processOf(container: string): Promise<ContainerProcess | undefined> {
    const { State, HostConfig } = await this.#docker.getContainer(container).inspect();
    const isPlain = PLAIN_RUNTIME.test(HostConfig.Runtime ?? '');
    return State.Pid > 0 && isPlain ? { pid: State.Pid, node: '' } : undefined;
  }

  /**
   * Docker's events tell of every container on the machine. It keeps 1,024 for a reader, then waits 100 ms for it and
   * drops what it could not send (daemon/events in github.com/moby/moby); so nothing is done here but noting that there
   * was one.
   */
  async watch(onChange: () => void, signal: AbortSignal): Promise<void> {
    const events = await this.#docker.getEvents({ filters: { type: ['container', 'image'] } });
    const stop = (): void => void (events as Readable).destroy();
    signal.addEventListener('abort', stop, { once: true });
    try {
      for await (const _event of events) onChange();
    } catch (error) {
      if (!signal.aborted) throw error;
    } finally {
      signal.removeEventListener('abort', stop);
    }
  }

  #idOf(image: string): string {
    return this.#ids.get(image) ?? image;
  }

  async #inspect(id: string): Promise<Dockerode.ImageInspectInfo> {
    try {
      return await this.#docker.getImage(id).inspect();
    } catch (cause) {
      if ((cause as { statusCode?: number }).statusCode !== 404) throw cause;
      throw new AgentError('image_gone', `image ${id} is no longer on the machine`, { cause });
    }
  }

  async #rootOf({ digest }: RuntimeImage, { containers }: Inventory): Promise<LayerFolders['container']> {
    const running = containers.find((each) => each.running && each.image === digest);
    if (!running) return undefined;
    try {
      const { GraphDriver } = await this.#docker.getContainer(running.id).inspect();
      const { MergedDir, UpperDir } = (GraphDriver?.Data ?? {}) as OverlayData;
      return MergedDir && UpperDir ? { merged: MergedDir, upper: UpperDir } : undefined;
    } catch (err) {
      this.#log.debug({ err, container: running.id }, 'no root of this container');
      return undefined;
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    // Each call to Docker has a connection of its own.
    this.#store[Symbol.dispose]();
  }
}

/** Docker says where its containerd listens; before Docker 27 that was the machine's, or could not be known. */
function storeOf(info: DockerInfo, { containerdSocket, containerdRoot }: DockerSockets): DockerStore {
  if (!isInContainerd(info)) return new GraphStore(info);
  const socket = info.Containerd?.Address ?? containerdSocket;
  // One of Docker's own keeps everything below Docker's folder.
  const root =
    socket === containerdSocket ? containerdRoot : join(info.DockerRootDir, 'containerd', 'daemon');
  return new ContainerdImageStore(socket, root);
}
