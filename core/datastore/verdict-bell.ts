import { EventEmitter, once } from 'node:events';
import { setTimeout as delay } from 'node:timers/promises';
import type { Log } from '@gatehouse/lib/log.ts';
import { backoffDelay } from '@gatehouse/lib/retry.ts';
import pg from 'pg';
import type { DatabaseLogin } from './database.ts';
import { VERDICTS_CHANNEL } from './verdicts.ts';

const RECONNECT_BACKOFF = { first: 250, most: 10_000 };

/**
 * Rings when any replica has written verdicts. It holds one connection of its own with LISTEN on it. A ring may come
 * for nothing; none is lost for good, since it also rings after each reconnection.
 */
export class VerdictBell implements AsyncDisposable {
  readonly #login: DatabaseLogin;
  readonly #log: Log;
  readonly #stopping = new AbortController();
  /** Every watcher waits here. */
  readonly #rings = new EventEmitter().setMaxListeners(0);
  readonly #listening: Promise<void>;

  constructor(login: DatabaseLogin, log: Log) {
    this.#login = login;
    this.#log = log;
    this.#listening = this.#listen();
  }

  /** Resolves at the next ring, or after `most` milliseconds, or when the signal aborts. */
  async next(most: number, signal: AbortSignal): Promise<void> {
    const end = AbortSignal.any([signal, AbortSignal.timeout(most)]);
    await once(this.#rings, 'ring', { signal: end }).catch(() => undefined);
  }

  async #listen(): Promise<void> {
    const { signal } = this.#stopping;
    for (let attempt = 0; !signal.aborted; attempt++) {
      const client = new pg.Client({
        ...this.#login,
        application_name: 'gatehouse-bell',
        keepAlive: true,
      });
      const lost = new Promise<void>((resolve) => {
        client.on('error', () => resolve());
        client.on('end', () => resolve());
        signal.addEventListener('abort', () => resolve(), { once: true });
      });
      try {
        await client.connect();
        client.on('notification', () => this.#rings.emit('ring'));
        await client.query(`listen ${VERDICTS_CHANNEL}`);
        attempt = 0;
        this.#rings.emit('ring');
        await lost;
      } catch (err) {
        if (!signal.aborted) this.#log.warn({ err }, 'cannot listen for verdicts of other replicas');
      } finally {
        await client.end().catch(() => undefined);
      }
      await delay(backoffDelay(RECONNECT_BACKOFF, attempt), undefined, { signal }).catch(() => undefined);
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#stopping.abort();
    await this.#listening;
  }
}
