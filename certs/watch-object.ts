import type { KubernetesObject, Watch } from '@kubernetes/client-node';

/** The client breaks a watch that is silent for 30 s; ended by the server before that, it resumes without a loss. */
const WATCH_SECONDS = 25;

/**
 * What happened to a watched object; `bookmark` only brings a newer version to resume from.
 * The object comes as the API server wrote it: dates are texts.
 */
export interface ObjectEvent<T> {
  readonly kind: 'present' | 'gone' | 'bookmark';
  readonly object: T;
}

const kinds: Readonly<Record<string, ObjectEvent<unknown>['kind']>> = {
  ADDED: 'present',
  MODIFIED: 'present',
  DELETED: 'gone',
  BOOKMARK: 'bookmark',
};

/** A watch on the one object of a collection that has the name; see `ApiObject.watch`. */
export async function watchObject<T extends KubernetesObject>(
  watcher: Watch,
  at: { readonly collection: string; readonly name: string },
  options: { version: string | undefined; onEvent: (event: ObjectEvent<T>) => void; signal: AbortSignal },
): Promise<string | undefined> {
  const { promise, resolve, reject } = Promise.withResolvers<void>();
  let version = options.version;
  const onLine = (type: string, object: T): void => {
    const kind = kinds[type];
    if (kind) {
      version = object.metadata?.resourceVersion ?? version;
      options.onEvent({ kind, object });
    } else {
      // It is ERROR, and the object is the Status that says why.
      reject(object);
    }
  };
  const query = {
    fieldSelector: `metadata.name=${at.name}`,
    resourceVersion: options.version,
    // Without a version to resume from there is no need; and API servers on an etcd before 3.4.31 refuse both together.
    allowWatchBookmarks: options.version !== undefined,
    timeoutSeconds: WATCH_SECONDS,
  };
  const stop = (): void => resolve();
  options.signal.addEventListener('abort', stop, { once: true });
  const request = watcher.watch(at.collection, query, onLine, (error) => (error ? reject(error) : resolve()));
  request.catch(reject);
  try {
    await promise;
    return version;
  } finally {
    options.signal.removeEventListener('abort', stop);
    // The request may still be on its way: it is ended as soon as it can be. What it failed of is told already.
    void request.then(
      (controller) => controller.abort(),
      () => undefined,
    );
  }
}
