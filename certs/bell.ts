import { setTimeout as delay } from 'node:timers/promises';

/** Lets one loop wait until something has happened; what happens while it does not wait is not missed. */
export class Bell {
  #rung = Promise.withResolvers<void>();

  ring(): void {
    this.#rung.resolve();
  }

  /** Returns after a ring, after the time (milliseconds), or when the signal aborts. */
  async wait(time: number, signal: AbortSignal): Promise<void> {
    const waiting = new AbortController();
    const over = delay(time, undefined, { signal: AbortSignal.any([signal, waiting.signal]) });
    await Promise.race([over.catch(() => undefined), this.#rung.promise]);
    waiting.abort();
    this.#rung = Promise.withResolvers();
  }
}
