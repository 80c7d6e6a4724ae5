import type { KubernetesObject, Watch } from '@kubernetes/client-node';
import { apiError, statusOf } from './api-error.ts';
import { type ObjectEvent, watchObject } from './watch-object.ts';

/** Where an object of a namespace is. */
export interface ObjectName {
  readonly namespace: string;
  readonly name: string;
}

/** One object of the API server, known by its name. All calls throw CertsError `api_…`. */
export interface ApiObject<T extends KubernetesObject> {
  /** For messages, such as `Secret gatehouse-system/webhook-tls`. */
  readonly title: string;
  /** Undefined if it does not exist. */
  read(): Promise<T | undefined>;
  /** A strategic merge patch; with `metadata.resourceVersion` in it, it conflicts if the object is no longer that. */
  patch(body: object): Promise<T>;
  /**
   * Tells what happens after `version`, or from now on. Ends orderly after some time, with the version to resume from;
   * throws when the watch breaks or the version is too old.
   */
  watch(
    version: string | undefined,
    onEvent: (event: ObjectEvent<T>) => void,
    signal: AbortSignal,
  ): Promise<string | undefined>;
}

/** An object that Gatehouse makes if it is missing. */
export interface OwnObject<T extends KubernetesObject> extends ApiObject<T> {
  create(content: Omit<T, 'apiVersion' | 'kind' | 'metadata'>): Promise<T>;
}

/** Where an object is to be found, and how messages call it. */
export interface Address {
  readonly title: string;
  /** The path of all objects of the kind, which is what can be watched. */
  readonly collection: string;
  readonly name: string;
}

/** The requests for one object, as the client library makes them. */
type Calls<T> = Address & {
  readonly read: () => Promise<T>;
  readonly patch: (body: object) => Promise<T>;
};

export function ownObject<T extends KubernetesObject>(
  watcher: Watch,
  calls: Calls<T> & { readonly create: (body: T) => Promise<T> },
): OwnObject<T> {
  return {
    ...apiObject(watcher, calls),
    create: (content) =>
      attempt(`create ${calls.title}`, () =>
        calls.create({ ...content, metadata: { name: calls.name } } as T),
      ),
  };
}

export function apiObject<T extends KubernetesObject>(watcher: Watch, calls: Calls<T>): ApiObject<T> {
  return {
    title: calls.title,
    read: () => attempt(`read ${calls.title}`, () => calls.read().catch(undefinedIfMissing)),
    patch: (body) => attempt(`patch ${calls.title}`, () => calls.patch(body)),
    watch: (version, onEvent, signal) =>
      attempt(`watch ${calls.title}`, () => watchObject(watcher, calls, { version, onEvent, signal })),
  };
}

async function attempt<R>(what: string, call: () => Promise<R>): Promise<R> {
  try {
    return await call();
  } catch (thrown) {
    throw apiError(what, thrown);
  }
}

function undefinedIfMissing(thrown: unknown): undefined {
  if (statusOf(thrown) !== 404) throw thrown;
}
