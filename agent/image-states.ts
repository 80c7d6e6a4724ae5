import { type Backoff, backoffDelay } from '@gatehouse/lib/retry.ts';
import type { Brought } from './image-worker.ts';
import type { Inventory, RuntimeContainer, RuntimeImage } from './runtimes/runtime.ts';

/**
 * How soon an image is tried again that failed, or could be read in part only: a runtime that is restarted is back within
 * a minute. What was tried in vain so often that the core was told is tried again after the longest of these waits, each
 * time: that costs little, and what keeps a node from reading may be mended without a restart of its agent.
 */
export const RETRY: Backoff = { first: 5_000, most: 3_600_000 };
/** Of an image that fails so often in a row, for more than half a minute, the core is told. */
const MAX_ATTEMPTS = 5;
/** What may pass is waited for so often, as each try of a layer may take a quarter of an hour; then for a new container. */
const MAX_PARTIAL_TRIES = 3;

interface State {
  /** The core has it; other nodes bring the rest of it; it could be read in part only; or not at all. */
  readonly kind: 'done' | 'leased' | 'partial' | 'failed';
  /** How often it was tried in vain. */
  readonly attempts: number;
  /** When (by performance.now) it is tried again; Infinity for never. */
  again: number;
  /** When a container that was not there yet makes it worth another try. */
  readonly soonest: number;
  readonly seen: ReadonlySet<string>;
}

/** How far the images of a node have come; one that is named nowhere here is still to be brought. */
export class ImageStates {
  readonly #retry: Backoff;
  readonly #states = new Map<string, State>();
  /** When (by performance.now) it was last asked what to bring. */
  #asked = 0;

  constructor(retry: Backoff = RETRY) {
    this.#retry = retry;
  }

  /** The images that the core has as a whole. */
  get done(): Iterable<string> {
    return this.#states
      .entries()
      .filter(([, { kind }]) => kind === 'done')
      .map(([image]) => image);
  }

  /** Whether some image failed of which the core was not told yet. */
  get anyFailing(): boolean {
    return this.#states.values().some(({ kind, attempts }) => kind === 'failed' && attempts < MAX_ATTEMPTS);
  }

  /**
   * The images to bring: those that run first, since they are judged first, and what was tried in vain after all others,
   * since it may take long again.
   */
  todo({ images, containers }: Inventory): readonly RuntimeImage[] {
    const byImage = Map.groupBy(containers, ({ image }) => image);
    const now = performance.now();
    this.#asked = now;
    const rank = ({ digest }: RuntimeImage): readonly [number, number] => [
      this.#states.get(digest)?.attempts ?? 0,
      byImage.get(digest)?.some(({ running }) => running) ? 0 : 1,
    ];
    return images
      .filter(({ digest }) => this.#isDue(digest, byImage.get(digest) ?? [], now))
      .map((image) => ({ image, rank: rank(image) }))
      .sort((a, b) => a.rank[0] - b.rank[0] || a.rank[1] - b.rank[1])
      .map(({ image }) => image);
  }

  /** A container may show what no other place on the node does; so what was read in part is tried with each new one. */
  #isDue(image: string, containers: readonly RuntimeContainer[], now: number): boolean {
    const state = this.#states.get(image);
    if (!state) return true;
    const isNew = containers.flatMap(wordsOf).some((word) => !state.seen.has(word));
    if (isNew) state.again = Math.min(state.again, state.soonest);
    return state.again <= now;
  }

  /**
   * Milliseconds until an image is to be tried that waits for its time; Infinity if none does. Those whose time had come
   * when it was last asked what to bring are in hand.
   */
  get untilNextTry(): number {
    const coming = this.#states.values().flatMap(({ again }) => (again > this.#asked ? [again] : []));
    return Math.max(0, Math.min(...coming) - performance.now());
  }

  /** What came of bringing an image while these containers were there. */
  brought(
    image: string,
    { whole, mayPass = false, askAgainInMs }: Brought,
    containers: readonly RuntimeContainer[],
  ): void {
    if (askAgainInMs !== undefined) {
      this.#rest(image, { kind: 'leased', again: performance.now() + spread(askAgainInMs) });
    } else if (whole) {
      this.#rest(image, { kind: 'done', again: Number.POSITIVE_INFINITY });
    } else {
      const attempts = this.#attemptsOf(image) + 1;
      const isTriedAgain = mayPass && attempts < MAX_PARTIAL_TRIES;
      this.#inVain(image, { kind: 'partial', attempts, isTriedAgain }, containers);
    }
  }

  /** How often an image will have failed if it does so now, and whether the core is to be told of that. */
  nextFailure(image: string): { readonly attempts: number; readonly isGivenUp: boolean } {
    const attempts = this.#attemptsOf(image) + 1;
    return { attempts, isGivenUp: attempts >= MAX_ATTEMPTS };
  }

  /** An image failed while these containers were there. */
  failed(image: string, containers: readonly RuntimeContainer[]): void {
    const { attempts } = this.nextFailure(image);
    this.#inVain(image, { kind: 'failed', attempts, isTriedAgain: true }, containers);
  }

  /** The core does not know the image any more; one that fails still waits for its time, but not for as long. */
  lost(image: string): void {
    const state = this.#states.get(image);
    if (state?.kind === 'failed') state.again = Math.min(state.again, state.soonest);
    else this.#states.delete(image);
  }

  /** Everything that other nodes bring is asked for anew. */
  forgetLeases(): void {
    for (const [image, { kind }] of this.#states) if (kind === 'leased') this.#states.delete(image);
  }

  /** Forgets the images that are no longer there. */
  keepOnly(images: readonly RuntimeImage[]): void {
    const present = new Set(images.map(({ digest }) => digest));
    for (const image of this.#states.keys()) if (!present.has(image)) this.#states.delete(image);
  }

  #attemptsOf(image: string): number {
    return this.#states.get(image)?.attempts ?? 0;
  }

  #rest(image: string, state: Pick<State, 'kind' | 'again'>): void {
    // Who waits for others, or for a registry, has not got further by that.
    const attempts = state.kind === 'leased' ? this.#attemptsOf(image) : 0;
    this.#states.set(image, { ...state, attempts, soonest: Number.POSITIVE_INFINITY, seen: new Set() });
  }

  #inVain(
    image: string,
    { kind, attempts, isTriedAgain }: Pick<State, 'kind' | 'attempts'> & { isTriedAgain: boolean },
    containers: readonly RuntimeContainer[],
  ): void {
    const now = performance.now();
    const wait = backoffDelay(this.#retry, attempts - 1);
    const again = attempts < MAX_ATTEMPTS ? wait : spread(this.#retry.most);
    this.#states.set(image, {
      kind,
      attempts,
      again: isTriedAgain ? now + again : Number.POSITIVE_INFINITY,
      // The first container of an image mostly comes just after it.
      soonest: now + (kind === 'partial' && attempts === 1 ? 0 : wait),
      seen: new Set(containers.flatMap(wordsOf)),
    });
  }
}

/** One that runs shows more than one that was just made; one that has ended shows no more than it did. */
function wordsOf({ id, running }: RuntimeContainer): readonly string[] {
  return running ? [id, `${id} runs`] : [id];
}

/** Up to half shorter, so that nodes do not all ask at once. */
export function spread(ms: number): number {
  return ms * (0.5 + Math.random() / 2);
}
