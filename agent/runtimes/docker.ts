import { createWriteStream } from 'node:fs';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import type { Log } from '@gatehouse/lib/log.ts';
import { openSource } from '@gatehouse/sbom';
import Dockerode from 'dockerode';
import { AgentError } from '../errors.ts';
import type { ImageLayers, Inventory, LayerFolders, LayerPlaces, Runtime, RuntimeImage } from './runtime.ts';

/** What overlay2 says of the folders of an image or a container. */
interface OverlayData {
  readonly LowerDir?: string;
  readonly UpperDir?: string;
  readonly MergedDir?: string;
}

/** Docker, by its API. */
export class Docker implements Runtime {
  readonly title: string;
  readonly #docker: Dockerode;
  readonly #log: Log;

  private constructor(docker: Dockerode, version: string, log: Log) {
    this.title = `docker ${version}`;
    this.#docker = docker;
    this.#log = log;
  }

  /** Connects; undefined if nothing answers at the socket. */
  static async connect(socketPath: string, log: Log): Promise<Docker | undefined> {
    const docker = new Dockerode({ socketPath });
    try {
      const { Version } = await docker.version();
      return new Docker(docker, Version, log);
    } catch (err) {
      log.debug({ err, socket: socketPath }, 'no Docker answers');
      return undefined;
    }
  }

  async inventory(): Promise<Inventory> {
    const [images, containers] = await Promise.all([
      this.#docker.listImages(),
      this.#docker.listContainers({ all: true }),
    ]);
    return {
      images: images.map(({ Id, RepoTags, RepoDigests }) => ({
        digest: Id,
        aliases: [...(RepoTags ?? []), ...(RepoDigests ?? [])],
      })),
      containers: containers.map(({ Id, Names, ImageID, State }) => ({
        id: Id,
        name: (Names[0] ?? '').replace(/^\//, ''),
        namespace: '',
        pod: '',
        podUid: '',
        image: ImageID,
        running: State === 'running',
      })),
    };
  }

  async layersOf(image: string): Promise<ImageLayers> {
    const { Os, Architecture, RootFS } = await this.#inspect(image);
    return {
      platform: `${Os}/${Architecture}`,
      diffIds: RootFS.Layers ?? [],
      config: () => this.#configOf(image),
    };
  }

  /** Docker keeps configurations as files, and gives them to nobody but in an export of the whole image. */
  async #configOf(image: string): Promise<Buffer | undefined> {
    const { DockerRootDir, Driver } = (await this.#docker.info()) as {
      DockerRootDir: string;
      Driver: string;
    };
    const [algorithm = '', hex = ''] = image.split(':');
    const file = join(DockerRootDir, 'image', Driver, 'imagedb', 'content', algorithm, hex);
    return readFile(file).catch((err: unknown) => {
      this.#log.debug({ err, image }, 'no configuration of this image');
      return undefined;
    });
  }

  async placesOf(image: RuntimeImage, layers: ImageLayers, inventory: Inventory): Promise<LayerPlaces> {
    const exported = new ExportedImage(this.#docker, image.digest);
    return {
      folders: await this.#foldersOf(image, layers, inventory),
      // Docker keeps no archives. To have one made costs the disk a copy of the image, so that is the last resort.
      blobs: layers.diffIds.map((diffId, index) => ({ name: diffId, open: () => exported.layer(index) })),
      [Symbol.asyncDispose]: () => exported[Symbol.asyncDispose](),
    };
  }

  /** Docker's events tell of every container on the machine. */
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

  async #inspect(image: string): Promise<Dockerode.ImageInspectInfo> {
    try {
      return await this.#docker.getImage(image).inspect();
    } catch (cause) {
      if ((cause as { statusCode?: number }).statusCode !== 404) throw cause;
      throw new AgentError('image_gone', `image ${image} is no longer on the machine`, { cause });
    }
  }

  /** The folders of overlay2; the containerd image store names none. */
  async #foldersOf(
    image: RuntimeImage,
    { diffIds }: ImageLayers,
    { containers }: Inventory,
  ): Promise<LayerFolders | undefined> {
    const { GraphDriver } = await this.#inspect(image.digest);
    if (GraphDriver?.Name !== 'overlay2') return undefined;
    const { UpperDir, LowerDir } = GraphDriver.Data as OverlayData;
    // The topmost layer stands apart; then the others follow from the top on.
    const layers = [UpperDir ?? [], LowerDir?.split(':') ?? []].flat().reverse();
    if (layers.length !== diffIds.length) return undefined;
    const running = containers.find((each) => each.running && each.image === image.digest);
    return { layers, container: running && (await this.#rootOf(running.id)) };
  }

  async #rootOf(container: string): Promise<LayerFolders['container']> {
    try {
      const { GraphDriver } = await this.#docker.getContainer(container).inspect();
      const { MergedDir, UpperDir } = (GraphDriver?.Data ?? {}) as OverlayData;
      return MergedDir && UpperDir ? { merged: MergedDir, upper: UpperDir } : undefined;
    } catch (err) {
      this.#log.debug({ err, container }, 'no root of this container');
      return undefined;
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    // Each call has a connection of its own.
  }
}

/** An image as an archive in a temporary folder, made when a layer of it is first read. */
class ExportedImage implements AsyncDisposable {
  readonly #docker: Dockerode;
  readonly #image: string;
  readonly #stack = new AsyncDisposableStack();
  #source: ReturnType<typeof openSource> | undefined;

  constructor(docker: Dockerode, image: string) {
    this.#docker = docker;
    this.#image = image;
  }

  layer(index: number): Readable {
    return Readable.from(this.#read(index), { objectMode: false });
  }

  async *#read(index: number): AsyncGenerator<Buffer, void, undefined> {
    this.#source ??= this.#export();
    const layer = (await this.#source).layers[index];
    if (!layer)
      throw new AgentError('layer_unreadable', `the archive of ${this.#image} has no layer ${index}`);
    yield* layer.open() as AsyncIterable<Buffer>;
  }

  async #export(): ReturnType<typeof openSource> {
    const folder = await mkdtemp(join(tmpdir(), 'gatehouse-image-'));
    this.#stack.defer(() => rm(folder, { recursive: true, force: true }));
    const file = join(folder, 'image.tar');
    await pipeline(await this.#docker.getImage(this.#image).get(), createWriteStream(file, { mode: 0o600 }));
    return this.#stack.use(await openSource(`docker-archive:${file}`));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#source?.catch(() => undefined);
    await this.#stack.disposeAsync();
  }
}
