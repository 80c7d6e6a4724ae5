import { type ChildProcess, spawn } from 'node:child_process';
import { createHash } from 'node:crypto';
import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import {
  ContainerState,
  ImageService,
  type ImageStatusRequest,
  RuntimeService,
} from '@gatehouse/proto/gen/runtime/v1/runtime_pb.ts';
import { type ServicePolicy, serve } from '@gatehouse/proto/grpc.ts';
import { Server, ServerCredentials, status } from '@grpc/grpc-js';
import type { Image } from './images.ts';
import { run, runOk } from './process.ts';
import { need } from './tools.ts';

/** A pod of one container. */
export interface CrioPod {
  readonly uid: string;
  readonly namespace: string;
  readonly name: string;
  /** Of its container. */
  readonly container: string;
  readonly image: string;
}

/**
 * Stands in for CRI-O, which is neither in Debian nor to be built from Go's module proxy: its answers, as its sources
 * have them (server/*.go in github.com/cri-o/cri-o, 1.30), on what a real Podman has stored. Its containers have a root
 * that is mounted, and one process in it, which sleeps.
 */
export interface Crio extends AsyncDisposable {
  readonly socket: string;
  /** The folder of containers-storage. */
  readonly storage: string;
  load(image: Image): Promise<void>;
  /** Gives the id of the container. */
  start(pod: CrioPod): Promise<string>;
  /** How many events its readers have taken. */
  readonly eventsTaken: number;
}

export interface CrioOptions {
  /** How many events each reader is sent; left out, they are not enabled, as is CRI-O's default. */
  readonly events?: number;
}

/** As podman ps --format json and podman images --format json name things. */
interface PodmanContainer {
  readonly Id: string;
  readonly Image: string;
  readonly ImageID: string;
  readonly Labels: Readonly<Record<string, string>> | null;
}
interface PodmanImage {
  readonly Id: string;
  readonly Names?: readonly string[];
  readonly RepoDigests?: readonly string[];
  readonly Size: number;
}

const LABEL = 'io.kubernetes';
const ID = /^[0-9a-f]{3,64}$/;

const policy: ServicePolicy<undefined> = {
  authenticate: async () => undefined,
  requestStreamMs: 60_000,
  toStatus: (error) => ({ code: status.UNKNOWN, details: String(error) }),
};

export async function startCrio({ events }: CrioOptions = {}): Promise<Crio> {
  const { podman } = await need('podman');
  await using stack = new AsyncDisposableStack();
  const folder = await mkdtemp(path.join(tmpdir(), 'gatehouse-crio-'));
  stack.defer(() => rm(folder, { recursive: true, force: true }));
  const storage = path.join(folder, 'storage');
  // It mounts the folder of its driver on itself.
  stack.defer(() => run(['umount', '--lazy', path.join(storage, 'overlay')]).then(() => undefined));
  const flags = ['--root', storage, '--runroot', path.join(folder, 'run'), '--storage-driver', 'overlay'];
  const call = (args: readonly string[], cwd = folder): Promise<string> =>
    runOk([podman, ...flags, '--cgroup-manager', 'cgroupfs', '--events-backend', 'none', ...args], { cwd });
  stack.defer(() => call(['rm', '--all', '--force']).then(() => undefined));
  const store = new Store(call);
  stack.defer(() => store.end());
  let taken = 0;
  const server = new Server();
  serve(server, ImageService, imageService(store), policy);
  serve(
    server,
    RuntimeService,
    runtimeService(store, async function* () {
      for (let sent = 0; sent < (events ?? 0); sent++) {
        yield { containerId: 'f'.repeat(64) };
        taken++;
      }
    }),
    policy,
  );
  const socket = path.join(folder, 'crio.sock');
  await new Promise<void>((resolve, reject) =>
    server.bindAsync(`unix:${socket}`, ServerCredentials.createInsecure(), (error) =>
      error ? reject(error) : resolve(),
    ),
  );
  stack.defer(() => server.forceShutdown());
  const running = stack.move();
  return {
    socket,
    storage,
    load: (image) => store.load(image),
    start: (pod) => store.start(pod),
    get eventsTaken() {
      return taken;
    },
    [Symbol.asyncDispose]: () => running.disposeAsync(),
  };
}

/** What a real Podman says of its storage. */
class Store {
  readonly #processes = new Map<string, ChildProcess>();
  readonly #call: (args: readonly string[], cwd?: string) => Promise<string>;

  constructor(call: (args: readonly string[], cwd?: string) => Promise<string>) {
    this.#call = call;
  }

  async load({ folder, id, name }: Image): Promise<void> {
    // From there, for a name is made of the path, and names have no capital letters.
    await this.#call(['pull', '--quiet', `oci:${path.basename(folder)}`], path.dirname(folder));
    await this.#call(['tag', bare(id), name]);
    await this.#call(['untag', bare(id), `localhost/${path.basename(folder)}:latest`]);
  }

  async start({ uid, namespace, name, container, image }: CrioPod): Promise<string> {
    const labels = {
      'pod.uid': uid,
      'pod.namespace': namespace,
      'pod.name': name,
      'container.name': container,
    };
    const flags = Object.entries(labels).map(([key, value]) => `--label=${LABEL}.${key}=${value}`);
    const created = await this.#call(['create', '--pull=never', '--network=none', ...flags, image]);
    const id = created.trim();
    const root = (await this.#call(['mount', id])).trim();
    // As runtimes do it: with mounts of its own, and the root moved to that of the container.
    const enter = 'cd "$1"; mkdir -p .old; pivot_root . .old; exec sleep infinity';
    const child = spawn('unshare', ['--mount', 'sh', '-ec', enter, 'sh', root], { stdio: 'ignore' });
    await once(child, 'spawn');
    this.#processes.set(id, child);
    return id;
  }

  /** Of the process of a container; 0 if it has none. */
  pidOf(id: string): number {
    return this.#processes.get(id)?.pid ?? 0;
  }

  async end(): Promise<void> {
    for (const child of this.#processes.values()) {
      const ended = child.exitCode === null && child.signalCode === null ? once(child, 'exit') : undefined;
      child.kill('SIGKILL');
      await ended;
    }
  }

  async containers(): Promise<readonly PodmanContainer[]> {
    return JSON.parse(
      await this.#call(['ps', '--all', '--no-trunc', '--format', 'json']),
    ) as PodmanContainer[];
  }

  async images(): Promise<readonly PodmanImage[]> {
    return JSON.parse(await this.#call(['images', '--no-trunc', '--format', 'json'])) as PodmanImage[];
  }

  /** What `info` of an image has. */
  async specOf(id: string): Promise<object> {
    const [found] = JSON.parse(await this.#call(['image', 'inspect', id]));
    const { Os, Architecture, RootFS, Config } = found;
    const rootfs = { type: RootFS.Type, diff_ids: RootFS.Layers };
    return { os: Os, architecture: Architecture, config: Config, rootfs };
  }
}

function imageService(store: Store) {
  return {
    async listImages() {
      return { images: (await store.images()).map(toImage) };
    },
    async imageStatus(request: ImageStatusRequest) {
      const name = request.image?.image ?? '';
      // An id or the beginning of one, else a name; an id with its algorithm is neither.
      const found = (await store.images()).find(
        ({ Id, Names }) => (ID.test(name) && Id.startsWith(name)) || Names?.includes(name),
      );
      if (!found) return {};
      const info = request.verbose
        ? { info: JSON.stringify({ labels: {}, imageSpec: await store.specOf(found.Id) }) }
        : {};
      return { image: toImage(found), info };
    },
  };
}

/** Ids without the algorithm, and names that may be none. */
function toImage({ Id, Names = [], RepoDigests = [], Size }: PodmanImage) {
  const repoTags = Names.filter((name) => !name.includes('@'));
  return { id: Id, repoTags, repoDigests: [...RepoDigests], size: BigInt(Size) };
}

function runtimeService(store: Store, sendEvents: () => AsyncIterable<{ readonly containerId: string }>) {
  return {
    async version() {
      return {
        version: '0.1.0',
        runtimeName: 'cri-o',
        runtimeVersion: '1.30.0',
        runtimeApiVersion: 'v1',
      };
    },
    async listPodSandbox() {
      const pods = new Map((await store.containers()).map((each) => [sandboxOf(each), labelsOf(each)]));
      const items = [...pods].map(([id, labels]) => ({
        id,
        metadata: { uid: labels('pod.uid'), namespace: labels('pod.namespace'), name: labels('pod.name') },
      }));
      return { items };
    },
    async listContainers() {
      const images = new Map((await store.images()).map((image) => [image.Id, image]));
      const containers = (await store.containers()).map((each) => ({
        id: each.Id,
        podSandboxId: sandboxOf(each),
        metadata: { name: labelsOf(each)('container.name') },
        image: { image: each.Image },
        // One of the names by digest, which may be those of an index.
        imageRef: images.get(each.ImageID)?.RepoDigests?.[0] ?? each.ImageID,
        imageId: each.ImageID,
        state: ContainerState.CONTAINER_RUNNING,
      }));
      return { containers };
    },
    async containerStatus({ containerId }: { readonly containerId: string }) {
      const found = (await store.containers()).find(({ Id }) => Id.startsWith(containerId));
      if (!found) throw new Error(`could not find container "${containerId}"`);
      const info = {
        sandboxID: sandboxOf(found),
        pid: store.pidOf(found.Id),
        runtimeSpec: {},
        privileged: false,
      };
      return { status: { id: found.Id, imageId: found.ImageID }, info: { info: JSON.stringify(info) } };
    },
    getContainerEvents: sendEvents,
  };
}

const bare = (digest: string): string => digest.replace('sha256:', '');

const labelsOf =
  ({ Labels }: PodmanContainer) =>
  (name: string): string =>
    Labels?.[`${LABEL}.${name}`] ?? '';

function sandboxOf(container: PodmanContainer): string {
  return createHash('sha256').update(labelsOf(container)('pod.uid')).digest('hex');
}
