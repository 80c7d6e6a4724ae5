import type { Log } from '@gatehouse/lib/log.ts';

/** Often enough for who waits, seldom enough for who keeps logs. */
const EVERY_MS = 10_000;

/** Says how far the agent is with the images of a node, where that takes long. */
export class Progress {
  readonly #log: Log;
  readonly #all: number;
  readonly #now: () => number;
  #done = 0;
  #saidAt: number;

  constructor(log: Log, all: number, now: () => number = () => performance.now()) {
    this.#log = log;
    this.#all = all;
    this.#now = now;
    this.#saidAt = now();
  }

  /** One more image is done. */
  step(): void {
    this.#done++;
    if (this.#now() - this.#saidAt < EVERY_MS) return;
    this.#saidAt = this.#now();
    this.#log.info({ done: this.#done, of: this.#all }, 'images asked about and read');
  }
}
