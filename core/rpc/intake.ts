import { Turns } from '@gatehouse/lib/turns.ts';
import type { Caller } from '../app/app.ts';
import { nameOf } from '../app/nodes.ts';
import { CoreError } from '../errors.ts';

/** What came of an upload is in memory until it is stored: 32 MiB each at the most, where a core in a cluster has 1 GiB. */
const MAX_UPLOADS_AT_ONCE = 4;
/** Of one that waits nothing is read, so it takes what HTTP/2 lets through unasked, 64 KiB. */
const MAX_WAITING_UPLOADS = 500;
/** Agents send one after another. The second is for one whose agent has given it up and tries again. */
const MAX_UPLOADS_A_NODE = 2;

type NodeName = Omit<Extract<Caller, { role: 'agent' }>, 'role'>;

/** Lets so many uploads in at a time, and so few of a node that none of them can keep out all others. */
export class Intake {
  readonly #turns = new Turns(MAX_UPLOADS_AT_ONCE, MAX_WAITING_UPLOADS);
  readonly #ofNodes = new Map<string, number>();

  /** Waits for a turn, and does the work in it. Throws CoreError `busy` if there are too many. */
  async during<T>(node: NodeName, signal: AbortSignal, work: () => Promise<T>): Promise<T> {
    const name = nameOf(node);
    const count = this.#ofNodes.get(name) ?? 0;
    if (count >= MAX_UPLOADS_A_NODE) throw busy(`${count} uploads of ${name} are being read`);
    this.#ofNodes.set(name, count + 1);
    try {
      using turn = await this.#turns.take(signal);
      if (!turn) throw busy(`${MAX_WAITING_UPLOADS} uploads wait`);
      return await work();
    } finally {
      const left = (this.#ofNodes.get(name) ?? 1) - 1;
      if (left > 0) this.#ofNodes.set(name, left);
      else this.#ofNodes.delete(name);
    }
  }
}

function busy(what: string): CoreError {
  return new CoreError('busy', what, { hint: 'The agent tries again by itself.' });
}
