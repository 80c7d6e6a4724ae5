import type { Log } from '@gatehouse/lib/log.ts';
import { AgentError } from '../errors.ts';
import type {
  ContainerProcess,
  ImageLayers,
  Inventory,
  LayerPlaces,
  Runtime,
  RuntimeImage,
} from './runtime.ts';

/** A runtime that ends its events sooner sends none; one that ends them later has sent some, and may send more. */
const SENDS_NONE_MS = 1_000;

/** The runtimes of a machine as one, for the core keeps what was said of a node last. At least one of them. */
export function joinRuntimes(runtimes: readonly Runtime[], log: Log): Runtime {
  const [only, ...others] = runtimes;
  return only && others.length === 0 ? only : new JoinedRuntimes(runtimes, log);
}

class JoinedRuntimes implements Runtime {
  readonly title: string;
  readonly #runtimes: readonly Runtime[];
  readonly #log: Log;
  /** What each had when it last answered. */
  readonly #known = new Map<Runtime, Inventory>();

  constructor(runtimes: readonly Runtime[], log: Log) {
    this.title = runtimes.map(({ title }) => title).join(' and ');
    this.#runtimes = runtimes;
    this.#log = log;
  }

  /** Of one that does not answer, what it had before: it may be back soon. Throws if none answers. */
  async inventory(signal: AbortSignal): Promise<Inventory> {
    const answers = await Promise.allSettled(this.#runtimes.map((runtime) => runtime.inventory(signal)));
    signal.throwIfAborted();
    for (const [index, answer] of answers.entries()) {
      const runtime = this.#runtimes[index];
      if (runtime && answer.status === 'fulfilled') this.#known.set(runtime, answer.value);
      else
        this.#log.warn(
          { err: (answer as PromiseRejectedResult).reason, runtime: runtime?.title },
          'no answer',
        );
    }
    const failed = answers.find((answer) => answer.status === 'rejected');
    if (failed && answers.every(({ status }) => status === 'rejected')) throw failed.reason;
    const found = [...this.#known.values()];
    const images = Map.groupBy(
      found.flatMap((each) => each.images),
      ({ digest }) => digest,
    );
    return {
      images: [...images].map(([digest, same]) => ({
        digest,
        aliases: [...new Set(same.flatMap(({ aliases }) => aliases))],
      })),
      containers: found.flatMap((each) => each.containers),
    };
  }

  async layersOf(image: string, signal: AbortSignal): Promise<ImageLayers> {
    return this.#ownerOf(image).layersOf(image, signal);
  }

  async placesOf(
    image: RuntimeImage,
    layers: ImageLayers,
    inventory: Inventory,
    signal: AbortSignal,
  ): Promise<LayerPlaces> {
    return this.#ownerOf(image.digest).placesOf(image, layers, inventory, signal);
  }

  async processOf(container: string, signal: AbortSignal): Promise<ContainerProcess | undefined> {
    const owner = this.#find(({ containers }) => containers.some(({ id }) => id === container));
    return owner?.processOf(container, signal);
  }

  /** Until all have ended, or one that did send events. */
  async watch(onChange: () => void, signal: AbortSignal): Promise<void> {
    const ending = new AbortController();
    const either = AbortSignal.any([signal, ending.signal]);
    const watches = this.#runtimes.map(async (runtime) => {
      const began = performance.now();
      await runtime.watch(onChange, either).finally(() => {
        if (performance.now() - began > SENDS_NONE_MS) ending.abort();
      });
    });
    const ends = await Promise.allSettled(watches);
    const failed = ends.find((end) => end.status === 'rejected');
    if (failed) throw failed.reason;
  }

  /** Of several that have an image the one that runs it, for that shows more of it. */
  #ownerOf(image: string): Runtime {
    const owner =
      this.#find(({ containers }) => containers.some((each) => each.running && each.image === image)) ??
      this.#find(({ images }) => images.some(({ digest }) => digest === image));
    if (owner) return owner;
    throw new AgentError('image_gone', `image ${image} is no longer on the machine`);
  }

  #find(has: (inventory: Inventory) => boolean): Runtime | undefined {
    return this.#runtimes.find((runtime) => {
      const known = this.#known.get(runtime);
      return known !== undefined && has(known);
    });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const runtime of this.#runtimes) await runtime[Symbol.asyncDispose]();
  }
}
