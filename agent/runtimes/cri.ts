import {
  type Container,
  ContainerState,
  type Image,
  ImageService,
  type PodSandbox,
  RuntimeService,
} from '@gatehouse/proto/gen/runtime/v1/runtime_pb.ts';
import { type CallSettings, clientOf, type ServiceClient } from '@gatehouse/proto/grpc.ts';
import type { Client } from '@grpc/grpc-js';
import { AgentError } from '../errors.ts';
import type { ImageLayers, Inventory, RuntimeContainer } from './runtime.ts';

/** A list of thousands of containers takes a busy runtime seconds. */
const CALL_TIMEOUT_MS = 30_000;

/** What the Container Runtime Interface tells of a node. */
export class Cri {
  readonly #runtime: ServiceClient<typeof RuntimeService>;
  readonly #images: ServiceClient<typeof ImageService>;

  constructor(client: Client) {
    this.#runtime = clientOf(RuntimeService, client);
    this.#images = clientOf(ImageService, client);
  }

  async version(signal: AbortSignal): Promise<{ name: string; version: string }> {
    const { runtimeName, runtimeVersion } = await this.#runtime.version({ version: 'v1' }, settings(signal));
    return { name: runtimeName, version: runtimeVersion.replace(/^v/, '') };
  }

  async inventory(signal: AbortSignal): Promise<Inventory> {
    const [{ images }, { containers }, { items: pods }] = await Promise.all([
      this.#images.listImages({}, settings(signal)),
      this.#runtime.listContainers({}, settings(signal)),
      this.#runtime.listPodSandbox({}, settings(signal)),
    ]);
    const digestOf = new Map(
      images.flatMap((image) => namesOf(image).map((name) => [name, toDigest(image.id)])),
    );
    const podOf = new Map(pods.map((pod) => [pod.id, pod]));
    const found = containers.map(async (container) => {
      const image = await this.#imageOf(container, digestOf, signal);
      return image === undefined ? [] : [toContainer(container, image, podOf.get(container.podSandboxId))];
    });
    return {
      images: images.map(({ id, repoTags, repoDigests }) => ({
        digest: toDigest(id),
        aliases: [...repoTags, ...repoDigests],
      })),
      containers: (await Promise.all(found)).flat(),
    };
  }

  /** What an image is made of. Throws AgentError `image_gone`. */
  async layersOf(image: string, signal: AbortSignal): Promise<Omit<ImageLayers, 'config'>> {
    const { image: found, info } = await this.#images.imageStatus(
      { image: { image }, verbose: true },
      settings(signal),
    );
    if (!found) throw new AgentError('image_gone', `image ${image} is no longer on the node`);
    return parseImageInfo(image, info.info);
  }

  /** The runtime's own document on a container: snapshot, process and more. */
  async containerInfo(container: string, signal: AbortSignal): Promise<Readonly<Record<string, unknown>>> {
    const request = { containerId: container, verbose: true };
    const { info } = await this.#runtime.containerStatus(request, settings(signal));
    return JSON.parse(info.info ?? '{}') as Record<string, unknown>;
  }

  /** Whether a pod of this uid is on the node. */
  async runsPod(uid: string, signal: AbortSignal): Promise<boolean> {
    const { items } = await this.#runtime.listPodSandbox({}, settings(signal));
    return items.some(({ metadata }) => metadata?.uid === uid);
  }

  /**
   * Calls back at each event until the runtime ends the stream or the signal aborts. containerd keeps 100 events for a
   * reader and then starts no container until it reads on (internal/eventq), and CRI-O none; so nothing is done here but
   * noting that there was one, and what happened is asked for afterwards.
   */
  async watch(onChange: () => void, signal: AbortSignal): Promise<void> {
    for await (const _event of this.#runtime.getContainerEvents({}, { signal })) onChange();
  }

  /**
   * The image of a container by its configuration. `image_ref` may be the digest of an index or of another repository,
   * and older runtimes do not fill `image_id`, so names are resolved with the list of images, and last by asking.
   */
  async #imageOf(
    container: Container,
    digestOf: ReadonlyMap<string, string>,
    signal: AbortSignal,
  ): Promise<string | undefined> {
    const names = [container.imageId, container.imageRef, container.image?.image ?? ''];
    const known = names.map((name) => digestOf.get(name)).find((digest) => digest !== undefined);
    if (known !== undefined) return known;
    const name = container.image?.image || container.imageRef;
    const { image } = await this.#images.imageStatus({ image: { image: name } }, settings(signal));
    return image && toDigest(image.id);
  }
}

function settings(signal: AbortSignal): CallSettings {
  return { timeout: CALL_TIMEOUT_MS, signal };
}

/** CRI-O leaves the algorithm out. */
function toDigest(id: string): string {
  return /^[0-9a-f]{64}$/.test(id) ? `sha256:${id}` : id;
}

function namesOf({ id, repoTags, repoDigests }: Image): string[] {
  return [id, ...repoTags, ...repoDigests];
}

function toContainer(container: Container, image: string, pod: PodSandbox | undefined): RuntimeContainer {
  return {
    id: container.id,
    name: container.metadata?.name ?? '',
    namespace: pod?.metadata?.namespace ?? '',
    pod: pod?.metadata?.name ?? '',
    podUid: pod?.metadata?.uid ?? '',
    image,
    running: container.state === ContainerState.CONTAINER_RUNNING,
  };
}

/** The image specification inside the runtime's document; both containerd and CRI-O have it under these names. */
function parseImageInfo(image: string, info: string | undefined): Omit<ImageLayers, 'config'> {
  try {
    const { imageSpec } = JSON.parse(info ?? '') as {
      imageSpec: { os: string; architecture: string; variant?: string; rootfs: { diff_ids: string[] } };
    };
    const platform = [imageSpec.os, imageSpec.architecture, imageSpec.variant].filter(Boolean).join('/');
    return { platform, diffIds: imageSpec.rootfs.diff_ids };
  } catch (cause) {
    throw new AgentError('runtime_failed', `the runtime does not say what image ${image} is made of`, {
      cause,
    });
  }
}
