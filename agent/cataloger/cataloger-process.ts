import type { Log } from '@gatehouse/lib/log.ts';
import {
  catalogFolder,
  catalogRoot,
  decodeFragment,
  type Examiner,
  type Fragment,
  type LayerBlob,
  type Turn,
} from '@gatehouse/sbom';
import type { LayerCataloger } from './cataloger.ts';
import { Pace, type Share } from './pace.ts';
import { type Limits, RunningChild } from './running-child.ts';

/** Half of what an agent may take (manifests), and several times what the largest real layers took. */
const MAX_MEMORY_BYTES = 384 * 1024 * 1024;
/** A layer of 20 GB takes some three minutes. */
const MAX_LAYER_MS = 15 * 60_000;
/** A process that has nothing to do costs memory on every node. */
const IDLE_MS = 10_000;

/**
 * Catalogs layers in a process of its own, which gets bytes and has nothing else: no capability, another user, no files
 * but its code. It is ended when it takes too much memory or time, and its end costs the layer that it was at.
 */
export class CatalogerProcess implements LayerCataloger, AsyncDisposable {
  readonly #log: Log;
  readonly #limits: Limits;
  readonly #pace: Pace | undefined;
  #running: RunningChild | undefined;
  #idle: NodeJS.Timeout | undefined;

  /** Without a share it takes what it can get. */
  constructor(log: Log, { share, ...limits }: Partial<Limits> & { readonly share?: Share } = {}) {
    this.#log = log;
    this.#limits = { memoryBytes: MAX_MEMORY_BYTES, layerMs: MAX_LAYER_MS, ...limits };
    this.#pace = share && new Pace(share, () => ownMs() + (this.#running?.processorMs() ?? 0));
  }

  async catalogFolder(options: Parameters<LayerCataloger['catalogFolder']>[0]): Promise<Fragment> {
    return this.#use(options.signal, (running) =>
      catalogFolder({ ...options, ...this.#reading(running, options.signal) }),
    );
  }

  async catalogRoot(
    root: string,
    { signal }: { readonly signal?: AbortSignal | undefined },
  ): Promise<Fragment> {
    return this.#use(signal, (running) => catalogRoot(root, { signal, ...this.#reading(running, signal) }));
  }

  async catalogBlob(
    blob: LayerBlob,
    { diffId, signal }: { readonly diffId: string; readonly signal?: AbortSignal | undefined },
  ): Promise<{ readonly fragment: Fragment }> {
    const content = await this.#use(signal, (running) => running.catalogBlob(blob, diffId));
    return { fragment: await decodeFragment(content) };
  }

  #reading(
    running: RunningChild,
    signal: AbortSignal | undefined,
  ): { examiner: Examiner; turn: Turn | undefined } {
    const pace = this.#pace;
    return {
      examiner: (cataloger, file) => running.examine(cataloger, file),
      turn: pace && ((bytes) => pace.keep(bytes, signal)),
    };
  }

  /** One layer after the other: the agent brings one at a time. */
  async #use<T>(signal: AbortSignal | undefined, work: (running: RunningChild) => Promise<T>): Promise<T> {
    signal?.throwIfAborted();
    clearTimeout(this.#idle);
    this.#running ??= new RunningChild(this.#log, this.#limits, this.#pace);
    const running = this.#running;
    const stop = (): void => running.kill('the agent ends');
    signal?.addEventListener('abort', stop);
    try {
      return await running.supervised(work(running));
    } catch (error) {
      signal?.throwIfAborted();
      throw running.deathOf(error);
    } finally {
      signal?.removeEventListener('abort', stop);
      if (running.isDead) this.#running = undefined;
      this.#idle = setTimeout(() => void this[Symbol.asyncDispose](), IDLE_MS).unref();
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    clearTimeout(this.#idle);
    const running = this.#running;
    this.#running = undefined;
    await running?.end();
  }
}

/** The processor time of this process, in milliseconds. */
function ownMs(): number {
  const { user, system } = process.cpuUsage();
  return (user + system) / 1000;
}
