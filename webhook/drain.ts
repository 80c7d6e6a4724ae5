import type { Server } from 'node:net';
import { setTimeout as delay } from 'node:timers/promises';

/**
 * New connections still come until every kube-proxy has taken the pod out of the Service; kubelet, endpoint controller
 * and proxies take seconds for that on a busy cluster.
 */
const LEAST_MS = 15_000;
/**
 * The API server closes a connection that was idle for 90 s. Waiting for that instead of closing it ourselves leaves no
 * moment at which a review could be written to a connection that is being closed. The pod's grace period is longer.
 */
const MOST_MS = 100_000;
const LOOK_EVERY_MS = 250;

/** The end of a server that loses no request: it serves on, asks clients to go, and ends when they have gone. */
export class Drain {
  #draining = false;

  /** From now on every answer ends its connection. */
  get isDraining(): boolean {
    return this.#draining;
  }

  /** Resolves once nobody is connected any more, at the earliest after the least and at the latest after the most. */
  async finish(server: Server, { least = LEAST_MS, most = MOST_MS } = {}): Promise<void> {
    this.#draining = true;
    const began = Date.now();
    for (;;) {
      const elapsed = Date.now() - began;
      if (elapsed >= most || (elapsed >= least && (await connections(server)) === 0)) return;
      await delay(LOOK_EVERY_MS);
    }
  }
}

function connections(server: Server): Promise<number> {
  return new Promise((resolve, reject) => {
    server.getConnections((error, count) => (error ? reject(error) : resolve(count)));
  });
}
