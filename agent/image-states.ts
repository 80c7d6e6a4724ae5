import type { Brought } from './image-worker.ts';
import type { Inventory, RuntimeImage } from './runtimes/runtime.ts';

/** How far the images of a node have come; one that is named nowhere here is still to be brought. */
export class ImageStates {
  /** The core has them. */
  readonly #done = new Set<string>();
  /** They could not be read as a whole without a container of them. */
  readonly #waiting = new Set<string>();
  /** Other nodes bring the rest of them; and when (by performance.now) to ask whether they have. */
  readonly #leased = new Map<string, number>();
  /** How often they failed so far. */
  readonly #attempts = new Map<string, number>();
  /** They are not worth another try. */
  readonly #givenUp = new Set<string>();

  /** The images that the core has. */
  get done(): Iterable<string> {
    return this.#done;
  }

  /** Whether some image failed and is tried again. */
  get anyFailing(): boolean {
    return this.#attempts.size > 0;
  }

  /** The images to bring, those that run first: they are judged first. */
  todo(inventory: Inventory): readonly RuntimeImage[] {
    const running = runningImages(inventory);
    const isLeased = (digest: string): boolean => (this.#leased.get(digest) ?? 0) > performance.now();
    return inventory.images
      .filter(({ digest }) => !this.#done.has(digest) && !this.#givenUp.has(digest) && !isLeased(digest))
      .filter(({ digest }) => running.has(digest) || !this.#waiting.has(digest))
      .sort((a, b) => Number(running.has(b.digest)) - Number(running.has(a.digest)));
  }

  /** Milliseconds until a lease of another node may be over. */
  get untilLeaseEnds(): number {
    return Math.min(...this.#leased.values().map((at) => Math.max(0, at - performance.now())));
  }

  /** What came of bringing an image. */
  brought(image: string, { whole, askAgainInMs }: Brought, { isRunning }: { isRunning: boolean }): void {
    this.#attempts.delete(image);
    this.#leased.delete(image);
    if (askAgainInMs !== undefined) this.#leased.set(image, performance.now() + spread(askAgainInMs));
    else (whole || isRunning ? this.#done : this.#waiting).add(image);
  }

  /** An image failed; gives how often it has by now. */
  failed(image: string): number {
    const attempts = (this.#attempts.get(image) ?? 0) + 1;
    this.#attempts.set(image, attempts);
    return attempts;
  }

  giveUp(image: string): void {
    this.#attempts.delete(image);
    this.#givenUp.add(image);
  }

  /** The core does not know the image any more. */
  lost(image: string): void {
    this.#done.delete(image);
  }

  /** Everything that other nodes bring is asked for anew. */
  forgetLeases(): void {
    this.#leased.clear();
  }

  /** Forgets the images that are no longer there. */
  keepOnly(images: readonly RuntimeImage[]): void {
    const present = new Set(images.map(({ digest }) => digest));
    for (const known of [this.#done, this.#waiting, this.#leased, this.#attempts, this.#givenUp]) {
      for (const digest of known.keys()) if (!present.has(digest)) known.delete(digest);
    }
  }
}

/** The images that containers run. */
export function runningImages({ containers }: Inventory): ReadonlySet<string> {
  return new Set(containers.filter(({ running }) => running).map(({ image }) => image));
}

/** Up to half shorter, so that nodes do not all ask at once. */
export function spread(ms: number): number {
  return ms * (0.5 + Math.random() / 2);
}
