import { setTimeout as delay } from 'node:timers/promises';
import type { Log } from '@gatehouse/lib/log.ts';
import { type Backoff, backoffDelay } from '@gatehouse/lib/retry.ts';
import type { KubernetesObject } from '@kubernetes/client-node';
import type { ApiObject } from './api-object.ts';
import type { ObjectEvent } from './watch-object.ts';

/** Where watches fail for good, reading goes on at this pace: half a minute is far within the settling time. */
const BACKOFF: Backoff = { first: 1_000, most: 30_000 };
/** A server that ends every watch at once, as one does that shuts down, is not asked again without a pause. */
const PAUSE_MS = 200;

/**
 * Tells the state of an object now and after each change; undefined where it does not exist. It reads once, then
 * watches and resumes; where that fails, it reads again and again. `onState` must not throw. A state may be told twice.
 */
export function follow<T extends KubernetesObject>(
  object: ApiObject<T>,
  onState: (state: T | undefined) => void,
  log: Log,
): AsyncDisposable {
  const ending = new AbortController();
  const following = run(object, onState, { log, signal: ending.signal });
  return {
    async [Symbol.asyncDispose]() {
      ending.abort();
      await following;
    },
  };
}

async function run<T extends KubernetesObject>(
  object: ApiObject<T>,
  onState: (state: T | undefined) => void,
  { log, signal }: { log: Log; signal: AbortSignal },
): Promise<void> {
  const onEvent = ({ kind, object: changed }: ObjectEvent<T>): void => {
    if (kind !== 'bookmark') onState(kind === 'gone' ? undefined : changed);
  };
  let failures = 0;
  while (!signal.aborted) {
    try {
      const state = await object.read();
      onState(state);
      let version = state?.metadata?.resourceVersion;
      while (!signal.aborted) {
        version = await object.watch(version, onEvent, signal);
        failures = 0;
        await pause(PAUSE_MS, signal);
      }
    } catch (err) {
      log.warn({ err, object: object.title }, 'watch failed');
      await pause(backoffDelay(BACKOFF, failures++), signal);
    }
  }
}

/** Ends early when the signal aborts. */
async function pause(time: number, signal: AbortSignal): Promise<void> {
  await delay(time, undefined, { signal }).catch(() => undefined);
}
