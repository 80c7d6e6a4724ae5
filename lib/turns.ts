/** Lets so many do something at a time; others wait for their turn, in the order in which they came. */
export class Turns {
  #free: number;
  readonly #mostWaiting: number;
  readonly #waiting = new Set<() => void>();

  constructor(most: number, mostWaiting = Number.POSITIVE_INFINITY) {
    this.#free = most;
    this.#mostWaiting = mostWaiting;
  }

  /** A turn, which is over when it is disposed of; undefined if too many wait. Throws when the signal aborts the wait. */
  async take(signal?: AbortSignal): Promise<Disposable | undefined> {
    signal?.throwIfAborted();
    if (this.#free > 0) this.#free--;
    else if (this.#waiting.size >= this.#mostWaiting) return undefined;
    else await this.#wait(signal);
    return { [Symbol.dispose]: () => this.#pass() };
  }

  #wait(signal: AbortSignal | undefined): Promise<void> {
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    const leave = (): void => {
      this.#waiting.delete(start);
      reject(signal?.reason as Error);
    };
    const start = (): void => {
      signal?.removeEventListener('abort', leave);
      resolve();
    };
    signal?.addEventListener('abort', leave, { once: true });
    this.#waiting.add(start);
    return promise;
  }

  /** To whoever has waited longest. */
  #pass(): void {
    const [next] = this.#waiting;
    if (!next) {
      this.#free++;
      return;
    }
    this.#waiting.delete(next);
    next();
  }
}
