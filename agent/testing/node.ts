import { createHash } from 'node:crypto';
import {
  CoreClientError,
  type LayerUpload,
  type MissingLayers,
  type RuntimeFacts,
} from '@gatehouse/core-client';
import { noLog } from '@gatehouse/lib/log.ts';
import { CATALOGER_VERSION, type Fragment } from '@gatehouse/sbom';
import type { CoreForAgents } from '../bring-layer.ts';
import type { LayerCataloger } from '../cataloger/cataloger.ts';
import { AgentError } from '../errors.ts';
import { createAgentMetrics } from '../metrics.ts';
import type { ContainerProcess, ImageLayers, Inventory, Runtime, RuntimeImage } from '../runtimes/runtime.ts';

/** The digest of a word, for tests that need many. */
export function digestOf(word: string): string {
  return `sha256:${createHash('sha256').update(word).digest('hex')}`;
}

/** A core in memory, which hands every layer that it lacks to whoever asks. */
export class MemoryCore implements CoreForAgents {
  /** While it is set, every call fails with it. */
  failure: CoreClientError | undefined;
  /** All calls that it answered, in order. */
  readonly calls: string[] = [];
  readonly layers = new Map<string, LayerUpload>();
  readonly unreadable = new Map<string, string>();
  readonly failed = new Map<string, string>();
  readonly released: string[] = [];
  /** Layers that other nodes work at, and for how long. */
  readonly leasedToOthers = new Map<string, number>();
  /** Layers that it does not take in. */
  readonly refused = new Set<string>();
  readonly images = new Map<string, readonly string[]>();
  /** What it was told that containers run, if it knows the containers. */
  readonly facts: RuntimeFacts[] = [];
  knowsContainers = true;
  leaseMs = 120_000;
  /** Images of nodes that it says to know nothing of. */
  unknown: readonly string[] = [];

  /** As one that is down. */
  goAway(): void {
    this.failure = new CoreClientError('core_unavailable', 'the core does not answer');
  }

  comeBack(): void {
    this.failure = undefined;
  }

  async missingLayers(image: Parameters<CoreForAgents['missingLayers']>[0]): Promise<MissingLayers> {
    const { digest = '', diffIds } = image;
    this.#answer(`missingLayers ${diffIds ? 'described' : 'named'}`);
    if (diffIds) this.images.set(digest, [...diffIds]);
    const known = this.images.get(digest);
    if (!known)
      return { diffIds: [], leased: [], descriptionWanted: true, rootWanted: false, leaseMs: this.leaseMs };
    const missing = [...new Set(known)].filter((diffId) => !this.layers.has(diffId));
    return {
      diffIds: missing.filter((diffId) => !this.leasedToOthers.has(diffId)),
      leased: missing.flatMap((diffId) => {
        const endsInMs = this.leasedToOthers.get(diffId);
        return endsInMs === undefined ? [] : { diffId, endsInMs };
      }),
      descriptionWanted: false,
      rootWanted: false,
      leaseMs: this.leaseMs,
    };
  }

  async uploadLayer(layer: LayerUpload): Promise<void> {
    this.#answer('uploadLayer');
    if (this.refused.has(layer.diffId)) throw new CoreClientError('core_rejected', 'the core says no');
    this.layers.set(layer.diffId, layer);
  }

  async reportUnreadableLayer({ diffId, reason }: { diffId: string; reason: string }): Promise<void> {
    this.#answer('reportUnreadableLayer');
    this.unreadable.set(diffId, reason);
  }

  async reportFailedImage({ digest, reason }: { digest: string; reason: string }): Promise<void> {
    this.#answer('reportFailedImage');
    this.failed.set(digest, reason);
  }

  async holdLayers({ diffIds, release }: { diffIds: readonly string[]; release: boolean }): Promise<void> {
    this.#answer(release ? 'release' : 'renew');
    if (release) this.released.push(...diffIds);
  }

  async reportRuntimeFacts(said: RuntimeFacts): Promise<boolean> {
    this.#answer('reportRuntimeFacts');
    if (this.knowsContainers) this.facts.push(said);
    return this.knowsContainers;
  }

  async reportNode(): Promise<readonly string[]> {
    this.#answer('reportNode');
    return this.unknown;
  }

  #answer(call: string): void {
    if (this.failure) throw this.failure;
    this.calls.push(call);
  }
}

/** A node in memory. Its layers are their words: a layer's diff id is the digest of a word. */
export class MemoryNode implements Runtime, LayerCataloger {
  readonly title = 'memory 1';
  readonly images = new Map<string, readonly string[]>();
  readonly running = new Set<string>();
  /** Which container runs an image; another one if it is counted up. */
  generation = 1;
  /** Layers that cannot be read. */
  readonly unreadable = new Set<string>();
  /** Layers at which the process that reads them dies. */
  readonly hindered = new Set<string>();
  /** Images that the runtime stumbles over, and how often it has. */
  readonly broken = new Set<string>();
  stumbled = 0;
  /** The layers that were read, in order. */
  readonly read: string[] = [];
  looks = 0;
  /** What each container began with. */
  process: ContainerProcess | undefined;
  #changed: () => void = () => undefined;

  /** Adds an image of these layers; gives it. */
  add(...layers: readonly string[]): RuntimeImage {
    const digest = digestOf(`image of ${layers.join()}`);
    this.images.set(digest, layers.map(digestOf));
    this.changed();
    return { digest, aliases: ['registry.test/app:1'] };
  }

  changed(): void {
    this.#changed();
  }

  async inventory(): Promise<Inventory> {
    this.looks++;
    const images = [...this.images.keys()].map((digest) => ({ digest, aliases: [] }));
    const about = { name: 'c', namespace: '', pod: '', podUid: '', running: true };
    const containers = [...this.running].map((image) => ({
      ...about,
      id: `container ${this.generation} of ${image}`,
      image,
    }));
    return { images, containers };
  }

  async layersOf(image: string): Promise<ImageLayers> {
    const diffIds = this.images.get(image);
    if (!diffIds) throw new AgentError('image_gone', 'it is gone');
    if (this.broken.has(image)) {
      this.stumbled++;
      throw new AgentError('runtime_failed', 'the runtime stumbles');
    }
    return { platform: 'linux/amd64', diffIds, config: async () => undefined };
  }

  async placesOf(_image: RuntimeImage, { diffIds }: ImageLayers) {
    const blobs = diffIds.map((name) =>
      this.unreadable.has(name)
        ? { missing: 'the node has not kept the blob' }
        : { name, open: () => never() },
    );
    return { folders: undefined, blobs, [Symbol.asyncDispose]: async () => undefined };
  }

  async processOf(): Promise<ContainerProcess | undefined> {
    return this.process;
  }

  async watch(onChange: () => void, signal: AbortSignal): Promise<void> {
    this.#changed = onChange;
    await new Promise((resolve) => signal.addEventListener('abort', resolve));
  }

  async catalogBlob({ name }: { readonly name: string }): Promise<{ readonly fragment: Fragment }> {
    this.read.push(name);
    if (this.hindered.has(name)) throw new AgentError('cataloger_died', 'it took too long');
    return { fragment: fragmentOf(name) };
  }

  async catalogFolder(): Promise<Fragment> {
    return never();
  }

  async catalogRoot(): Promise<Fragment> {
    return never();
  }

  async [Symbol.asyncDispose](): Promise<void> {}
}

function never(): never {
  throw new Error('nobody asks for this');
}

/** What a layer of one file says. */
export function fragmentOf(file: string): Fragment {
  const none = {
    symlinks: [],
    others: [],
    emptyFolders: [],
    whiteouts: [],
    opaques: [],
    evidence: [],
    owners: [],
    problems: [],
  };
  const totals = { files: 1, bytes: 1 };
  return { cataloger: CATALOGER_VERSION, opacity: 'exact', files: [file], totals, ...none };
}

/** All that it takes to bring the images of a node to a core. */
export function partsOf<Core extends CoreForAgents>(node: MemoryNode, core: Core) {
  return { core, cataloger: node, runtime: node, metrics: createAgentMetrics(), log: noLog };
}
