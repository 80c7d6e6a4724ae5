import { setTimeout as delay } from 'node:timers/promises';

/** What reading may take of the node. */
export interface Share {
  /** Processors: 0.5 is half of one. */
  readonly processors: number;
  readonly bytesPerSecond: number;
}

/** Shorter waits cost more than they spare. */
const LEAST_WAIT_MS = 20;
/** What was not used before may be made up for by this much, so that a short piece of work is not held up at all. */
const MOST_CREDIT_MS = 200;
/** Waiting is done in pieces no longer than this, so that one large read does not silence the agent. */
const MOST_WAIT_MS = 5_000;

/** Holds work to a share of the node, by waits between its steps. */
export class Pace {
  readonly #share: Share;
  readonly #usedMs: () => number;
  readonly #now: () => number;
  #last: { readonly at: number; readonly used: number };
  /** Milliseconds that the work is ahead of its share. */
  #ahead = -MOST_CREDIT_MS;
  #waitedMs = 0;

  /** `usedMs` gives the processor time of the work so far; it may fall when a process of it ends. */
  constructor(share: Share, usedMs: () => number, now: () => number = () => performance.now()) {
    this.#share = share;
    this.#usedMs = usedMs;
    this.#now = now;
    this.#last = { at: now(), used: usedMs() };
  }

  /** After a step that read so many bytes: waits until the next one is due. Throws when the signal aborts. */
  async keep(bytes: number, signal?: AbortSignal): Promise<void> {
    const wait = this.due(bytes);
    if (wait === 0) return;
    this.#waitedMs += wait;
    await delay(wait, undefined, { ...(signal && { signal }) });
  }

  /** All waits so far: that is not the work's time. */
  get waitedMs(): number {
    return this.#waitedMs;
  }

  /** The same without the wait: milliseconds. */
  due(bytes: number): number {
    const now = { at: this.#now(), used: this.#usedMs() };
    const worked = Math.max(0, now.used - this.#last.used) / this.#share.processors;
    const read = (bytes / this.#share.bytesPerSecond) * 1000;
    this.#ahead += Math.max(worked, read) - (now.at - this.#last.at);
    this.#ahead = Math.max(this.#ahead, -MOST_CREDIT_MS);
    this.#last = now;
    return this.#ahead < LEAST_WAIT_MS ? 0 : Math.min(this.#ahead, MOST_WAIT_MS);
  }
}
