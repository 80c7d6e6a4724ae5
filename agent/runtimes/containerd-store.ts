import { stat } from 'node:fs/promises';
import { join } from 'node:path';
import { Content } from '@gatehouse/proto/gen/containerd/services/content/v1/content_pb.ts';
import { Images } from '@gatehouse/proto/gen/containerd/services/images/v1/images_pb.ts';
import { Kind, Snapshots } from '@gatehouse/proto/gen/containerd/services/snapshots/v1/snapshots_pb.ts';
import { type CallSettings, clientOf, type ServiceClient } from '@gatehouse/proto/grpc.ts';
import { type LayerBlob, parseImageConfig, streamFile } from '@gatehouse/sbom';
import { type Client, Metadata, status } from '@grpc/grpc-js';
import { AgentError } from '../errors.ts';
import type { ImageLayers, LayerFolders, LayerPlaces, RuntimeImage } from './runtime.ts';
import { DIGEST } from './stored-records.ts';

const CALL_TIMEOUT_MS = 30_000;
/** Where containerd keeps blobs below its root. */
const CONTENT_FOLDER = 'io.containerd.content.v1.content/blobs';
/** The OCI image specification has no limit; registries take manifests of 4 MiB. */
const MAX_DOCUMENT_BYTES = 4 * 1024 * 1024;

/** The official images have some twenty platforms, each with an attestation. */
const MAX_PLATFORMS = 200;

interface Descriptor {
  readonly mediaType?: string;
  readonly digest: string;
}

interface Manifest {
  readonly config?: Descriptor;
  readonly layers?: readonly Descriptor[];
  /** Of an index. */
  readonly manifests?: readonly Descriptor[];
}

/** A container's snapshot, as the runtime names it. */
export interface SnapshotName {
  readonly snapshotter: string;
  readonly key: string;
}

/**
 * Snapshotters whose folders hold all that their layers have. Those that fetch content when it is asked for (stargz,
 * nydus, SOCI, image streaming) name folders just so, and where their mounts do not reach, those are empty.
 */
const PLAIN_SNAPSHOTTERS: ReadonlySet<string> = new Set(['overlayfs']);

/** What containerd's own services tell of where layers lie. */
export class ContainerdStore {
  readonly #content: ServiceClient<typeof Content>;
  readonly #images: ServiceClient<typeof Images>;
  readonly #snapshots: ServiceClient<typeof Snapshots>;
  readonly #folders: { readonly hostRoot: string; readonly root: string };
  readonly #metadata = new Metadata();

  /**
   * `namespace` is the one of containerd: k8s.io for pods. `root` is containerd's folder on the node, whose root this
   * process sees at `hostRoot`.
   */
  constructor(
    client: Client,
    namespace: string,
    folders: { readonly hostRoot: string; readonly root: string },
  ) {
    this.#content = clientOf(Content, client);
    this.#images = clientOf(Images, client);
    this.#snapshots = clientOf(Snapshots, client);
    this.#folders = folders;
    this.#metadata.set('containerd-namespace', namespace);
  }

  /** For each layer of the image the blob that it was unpacked from, or why it cannot be had. */
  async blobsOf(
    image: RuntimeImage,
    layers: ImageLayers,
    signal: AbortSignal,
  ): Promise<LayerPlaces['blobs']> {
    return this.#blobsBy(await this.#manifestOf(image, signal), layers);
  }

  /** The same for an image whose manifest, or an index with it, has the digest `target`. */
  async blobsAt(
    target: string,
    image: RuntimeImage,
    layers: ImageLayers,
    signal: AbortSignal,
  ): Promise<LayerPlaces['blobs']> {
    return this.#blobsBy(await this.#findManifest(target, image.digest, signal), layers);
  }

  async #blobsBy(manifest: Manifest | undefined, { diffIds }: ImageLayers): Promise<LayerPlaces['blobs']> {
    const descriptors = manifest?.layers ?? [];
    if (descriptors.length !== diffIds.length) {
      const missing = manifest
        ? 'the manifest has other layers than the image'
        : 'the node has no manifest of the image';
      return diffIds.map(() => ({ missing }));
    }
    return Promise.all(descriptors.map(({ digest }) => this.#blob(digest)));
  }

  /**
   * The digest of the configuration with these layers that a manifest has, or one of those in an index; undefined if
   * the node has not kept it. Throws AgentError.
   */
  async configAt(
    target: string,
    diffIds: readonly string[],
    signal: AbortSignal,
  ): Promise<string | undefined> {
    const found = await this.#read(target, signal);
    const children = found?.manifests ?? [];
    if (children.length > MAX_PLATFORMS)
      throw new AgentError('runtime_failed', `the index ${target} has more than ${MAX_PLATFORMS} manifests`);
    // One after another, each once: an image may name one of the largest size in every place.
    const configs = new Set(found?.config && [found.config.digest]);
    for (const digest of new Set(children.map((child) => child.digest))) {
      const config = (await this.#read(digest, signal))?.config?.digest;
      if (config !== undefined) configs.add(config);
    }
    for (const digest of configs) {
      const config = await this.readDocument(digest, signal);
      if (config && hasLayers(config, diffIds)) return digest;
    }
    return undefined;
  }

  /** Whether a container's root lies on top of the layers that end in this chain. */
  async isOn(topChainId: string, { snapshotter, key }: SnapshotName, signal: AbortSignal): Promise<boolean> {
    const { info } = await this.#snapshots.stat({ snapshotter, key }, this.#settings(signal));
    return info?.kind === Kind.ACTIVE && info.parent === topChainId;
  }

  /** The folders that a container's root is made of, if they are plain folders of exactly these layers. */
  async foldersOf(
    snapshot: SnapshotName,
    layers: ImageLayers,
    topChainId: string,
    signal: AbortSignal,
  ): Promise<(Omit<LayerFolders, 'container'> & { readonly upper: string }) | undefined> {
    const { snapshotter, key } = snapshot;
    if (!PLAIN_SNAPSHOTTERS.has(snapshotter) || !(await this.isOn(topChainId, snapshot, signal)))
      return undefined;
    const { mounts } = await this.#snapshots.mounts({ snapshotter, key }, this.#settings(signal));
    const [mount, ...others] = mounts;
    if (mount?.type !== 'overlay' || others.length > 0) return undefined;
    const upper = option(mount.options, 'upperdir');
    // The topmost layer is named first.
    const lowers = option(mount.options, 'lowerdir')?.split(':').reverse() ?? [];
    if (upper === undefined || lowers.length !== layers.diffIds.length) return undefined;
    const { hostRoot } = this.#folders;
    return { layers: lowers.map((lower) => join(hostRoot, lower)), upper: join(hostRoot, upper) };
  }

  async #manifestOf(image: RuntimeImage, signal: AbortSignal): Promise<Manifest | undefined> {
    // CRI keeps a record by the digest of the configuration beside those by name.
    for (const name of [image.digest, ...image.aliases]) {
      const target = await this.#targetOf(name, signal);
      const manifest = target && (await this.#findManifest(target, image.digest, signal));
      if (manifest) return manifest;
    }
    return undefined;
  }

  async #targetOf(name: string, signal: AbortSignal): Promise<string | undefined> {
    const found = await orAbsent(this.#images.get({ name }, this.#settings(signal)));
    return found?.image?.target?.digest;
  }

  /** The manifest of the image at a digest, or in the index there. Of other platforms the node has no manifests. */
  async #findManifest(digest: string, image: string, signal: AbortSignal): Promise<Manifest | undefined> {
    const manifest = await this.#read(digest, signal);
    if (manifest?.config?.digest === image) return manifest;
    for (const child of manifest?.manifests ?? []) {
      const found = await this.#read(child.digest, signal);
      if (found?.config?.digest === image) return found;
    }
    return undefined;
  }

  async #read(digest: string, signal: AbortSignal): Promise<Manifest | undefined> {
    const bytes = await this.readDocument(digest, signal);
    try {
      return bytes && (JSON.parse(bytes.toString('utf8')) as Manifest);
    } catch (cause) {
      throw new AgentError('runtime_failed', `the manifest ${digest} is not JSON`, { cause });
    }
  }

  /** A manifest or a configuration, as it is; undefined if the node has not kept it. Throws AgentError. */
  async readDocument(digest: string, signal: AbortSignal): Promise<Buffer | undefined> {
    const chunks: Uint8Array[] = [];
    let size = 0;
    try {
      for await (const { data } of this.#content.read({ digest }, this.#settings(signal))) {
        size += data.length;
        if (size > MAX_DOCUMENT_BYTES)
          throw new AgentError('runtime_failed', `${digest} is too large for a manifest or a configuration`);
        chunks.push(data);
      }
      return Buffer.concat(chunks);
    } catch (cause) {
      if (isAbsent(cause)) return undefined;
      if (cause instanceof AgentError) throw cause;
      throw new AgentError('runtime_failed', `cannot read ${digest}`, { cause });
    }
  }

  /** Blobs are read as files, so that gigabytes need not go through the runtime. */
  async #blob(digest: string): Promise<LayerBlob | { missing: string }> {
    // The digest is the manifest's word, and becomes a part of a path.
    if (!DIGEST.test(digest)) return { missing: 'the manifest names a layer by no SHA-256 digest' };
    const [algorithm = '', hex = ''] = digest.split(':');
    const { hostRoot, root } = this.#folders;
    const path = join(hostRoot, root, CONTENT_FOLDER, algorithm, hex);
    const isKept = await stat(path).then(
      () => true,
      (error: NodeJS.ErrnoException) => error.code !== 'ENOENT',
    );
    // Whatever else keeps it from being looked at shows, and may pass, when it is read.
    return isKept
      ? { name: digest, open: () => streamFile(path) }
      : { missing: `the node has not kept the blob ${digest}` };
  }

  #settings(signal: AbortSignal): CallSettings {
    return { timeout: CALL_TIMEOUT_MS, signal, metadata: this.#metadata };
  }
}

/** Attestations stand in indexes as images do, and have layers of their own. */
function hasLayers(config: Buffer, diffIds: readonly string[]): boolean {
  try {
    return parseImageConfig(config).diffIds.join() === diffIds.join();
  } catch {
    return false;
  }
}

function option(options: readonly string[], name: string): string | undefined {
  return options.find((each) => each.startsWith(`${name}=`))?.slice(name.length + 1);
}

async function orAbsent<T>(call: Promise<T>): Promise<T | undefined> {
  try {
    return await call;
  } catch (error) {
    if (isAbsent(error)) return undefined;
    throw error;
  }
}

function isAbsent(error: unknown): boolean {
  return (error as { code?: number }).code === status.NOT_FOUND;
}
