import { setTimeout as delay } from 'node:timers/promises';
import { toError } from '@gatehouse/lib/errors.ts';
import type { Log } from '@gatehouse/lib/log.ts';
import { backoffDelay } from '@gatehouse/lib/retry.ts';
import type { CoreV1Api, V1Namespace, Watch } from '@kubernetes/client-node';

export type Labels = Readonly<Record<string, string>>;

/** The labels of namespaces. */
export interface NamespaceLabels extends AsyncDisposable {
  /** Whether all namespaces were read. */
  readonly loaded: boolean;
  labelsOf(namespace: string): Promise<Labels>;
}

/** For a webhook that is not in a cluster: no namespace has labels. */
export const noNamespaces: NamespaceLabels = {
  loaded: true,
  labelsOf: async () => ({}),
  [Symbol.asyncDispose]: async () => undefined,
};

const NAMESPACES = '/api/v1/namespaces';
const PAGE = 500;
/** The client breaks a watch that is silent for 30 s; ended by the server before that, it resumes without a loss. */
const WATCH_SECONDS = 25;
const BACKOFF = { first: 250, most: 10_000 };
/** A server that ends every watch at once, as one does that shuts down, is not asked again without a pause. */
const PAUSE_MS = 200;
/**
 * A pod may be reviewed before its brand-new namespace has come by the watch, which takes milliseconds. A review waits
 * this long for it, a fraction of the 3 s it has; after that the defaults hold, and the mode that the path names.
 */
const ARRIVAL_MS = 500;
/** HTTP 410: the API server no longer has all changes since the version that the watch goes on from. */
const GONE = 410;

/** Keeps the labels of all namespaces by a watch, so that no review asks the API server. */
export class WatchedNamespaces implements NamespaceLabels {
  readonly #api: CoreV1Api;
  readonly #watch: Watch;
  readonly #log: Log;
  readonly #labels = new Map<string, Labels>();
  readonly #arrivals = new Map<string, PromiseWithResolvers<void>>();
  readonly #ending = new AbortController();
  readonly #running: Promise<void>;
  #loaded = false;

  private constructor(api: CoreV1Api, watch: Watch, log: Log) {
    this.#api = api;
    this.#watch = watch;
    this.#log = log;
    this.#running = this.#run();
  }

  /** Begins to watch the namespaces of the cluster that the process runs in. */
  static async start(log: Log): Promise<WatchedNamespaces> {
    const { CoreV1Api, KubeConfig, Watch } = await import('@kubernetes/client-node');
    const config = new KubeConfig();
    config.loadFromDefault();
    return new WatchedNamespaces(config.makeApiClient(CoreV1Api), new Watch(config), log);
  }

  get loaded(): boolean {
    return this.#loaded;
  }

  async labelsOf(namespace: string): Promise<Labels> {
    const known = this.#labels.get(namespace);
    if (known) return known;
    const arrival = this.#arrivals.get(namespace) ?? Promise.withResolvers<void>();
    this.#arrivals.set(namespace, arrival);
    await Promise.race([arrival.promise, delay(ARRIVAL_MS, undefined, { ref: false })]);
    this.#arrivals.delete(namespace);
    return this.#labels.get(namespace) ?? {};
  }

  async #run(): Promise<void> {
    const { signal } = this.#ending;
    for (let failures = 0; !signal.aborted; ) {
      try {
        let version = await this.#list();
        while (!signal.aborted) {
          version = await this.#follow(version);
          failures = 0;
          await delay(PAUSE_MS, undefined, { signal });
        }
      } catch (err) {
        if (signal.aborted) return;
        this.#log.warn({ err }, 'watch of namespaces broken');
        await delay(backoffDelay(BACKOFF, failures++), undefined, { signal }).catch(() => undefined);
      }
    }
  }

  /** Reads all namespaces; gives the version to watch from. */
  async #list(): Promise<string> {
    const present = new Set<string>();
    let page: { _continue?: string; version: string } = { version: '' };
    do {
      const { items, metadata } = await this.#api.listNamespace({
        limit: PAGE,
        ...(page._continue && { _continue: page._continue }),
      });
      for (const item of items) {
        present.add(item.metadata?.name ?? '');
        this.#set(item);
      }
      page = { _continue: metadata?._continue ?? '', version: metadata?.resourceVersion ?? '' };
    } while (page._continue);
    for (const name of this.#labels.keys()) if (!present.has(name)) this.#labels.delete(name);
    this.#loaded = true;
    return page.version;
  }

  /** Watches until the API server ends it; gives the version to go on from. Throws if that is too old. */
  async #follow(from: string): Promise<string> {
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    let version = from;
    const onEvent = (type: string, object: V1Namespace & { code?: number }): void => {
      if (type === 'ERROR') {
        reject(new Error(object.code === GONE ? 'the version is too old' : JSON.stringify(object)));
        return;
      }
      version = object.metadata?.resourceVersion ?? version;
      if (type === 'DELETED') this.#labels.delete(object.metadata?.name ?? '');
      else if (type !== 'BOOKMARK') this.#set(object);
    };
    const query = { resourceVersion: from, allowWatchBookmarks: true, timeoutSeconds: WATCH_SECONDS };
    const request = this.#watch.watch(NAMESPACES, query, onEvent, (error) =>
      error ? reject(toError(error)) : resolve(),
    );
    const stop = (): void => resolve();
    this.#ending.signal.addEventListener('abort', stop, { once: true });
    request.catch(reject);
    try {
      await promise;
      return version;
    } finally {
      this.#ending.signal.removeEventListener('abort', stop);
      void request.then(
        (controller) => controller.abort(),
        () => undefined,
      );
    }
  }

  #set({ metadata }: V1Namespace): void {
    const name = metadata?.name ?? '';
    this.#labels.set(name, metadata?.labels ?? {});
    this.#arrivals.get(name)?.resolve();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#ending.abort();
    await this.#running;
  }
}
