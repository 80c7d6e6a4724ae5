import type { CoreClient } from '@gatehouse/core-client';
import type { Log } from '@gatehouse/lib/log.ts';

/** How often a lease is renewed while it lasts: two renewals may be lost. */
const RENEWALS = 3;
/** Whatever the core says, it is not called more often than that needs. */
const MIN_LEASE_MS = 10_000;
/** Whoever ends with leases in hand, as at a shutdown, does not wait long to give them back; they run out anyway. */
const RELEASE_TIMEOUT_MS = 2_000;

/** The layers that the core leased to this node for one image. Disposing of it gives back those that nothing came of. */
export class Leases implements AsyncDisposable {
  readonly #core: Pick<CoreClient, 'holdLayers'>;
  readonly #catalogerVersion: string;
  readonly #held: Set<string>;
  readonly #renewal: NodeJS.Timeout;
  readonly #log: Log;

  constructor(
    core: Pick<CoreClient, 'holdLayers'>,
    layers: { diffIds: readonly string[]; catalogerVersion: string; leaseMs: number },
    log: Log,
  ) {
    this.#core = core;
    this.#catalogerVersion = layers.catalogerVersion;
    this.#held = new Set(layers.diffIds);
    this.#log = log;
    const leaseMs = Math.max(layers.leaseMs, MIN_LEASE_MS);
    const renew = (): void => void this.#tell({ release: false }, AbortSignal.timeout(leaseMs));
    this.#renewal = setInterval(renew, leaseMs / RENEWALS).unref();
  }

  /** The core has been told what there is to say of a layer, which ends the lease on it. */
  settled(diffId: string): void {
    this.#held.delete(diffId);
  }

  async #tell({ release }: { release: boolean }, signal: AbortSignal): Promise<void> {
    if (this.#held.size === 0) return;
    const layers = { diffIds: [...this.#held], catalogerVersion: this.#catalogerVersion, release };
    // Nothing depends on it: at worst another node reads the same layer, or waits until the lease is over.
    await this.#core.holdLayers(layers, signal).catch((err: unknown) => {
      this.#log.debug({ err, ...layers }, 'leases neither renewed nor given back');
    });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    clearInterval(this.#renewal);
    await this.#tell({ release: true }, AbortSignal.timeout(RELEASE_TIMEOUT_MS));
  }
}
