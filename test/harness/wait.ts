import { once } from 'node:events';
import { setTimeout as delay } from 'node:timers/promises';
import { explain } from '@gatehouse/lib/errors.ts';
import { HarnessError } from './errors.ts';

/** Short enough that a test does not feel it, long enough that a check by a child process does not fill a core. */
const INTERVAL_MS = 50;

/** Most states of a cluster come about within seconds; a machine under load gets several times that. */
const DEFAULT_TIMEOUT_MS = 30_000;

/**
 * Calls `check` until it returns without throwing, and gives what it returned. Once `timeout` (milliseconds) is over,
 * also in the midst of a check, it throws what was waited for (`what`, as in "waited for the node to be ready") and the
 * last reason why not. An aborted `signal` ends the wait with the signal's reason.
 */
export async function eventually<T>(
  check: () => T | Promise<T>,
  options: { what: string; timeout?: number; signal?: AbortSignal },
): Promise<T> {
  const timeout = options.timeout ?? DEFAULT_TIMEOUT_MS;
  const over = AbortSignal.timeout(timeout);
  const ending = options.signal ? AbortSignal.any([over, options.signal]) : over;
  const ended = once(ending, 'abort');
  let last: unknown = 'the check did not come to an end';
  while (!ending.aborted) {
    try {
      const answer = await Promise.race([Promise.resolve(check()).then((value) => ({ value })), ended]);
      if ('value' in answer) return answer.value;
    } catch (reason) {
      last = reason;
    }
    await Promise.race([delay(INTERVAL_MS), ended]);
  }
  options.signal?.throwIfAborted();
  throw new HarnessError('wait_failed', `waited ${timeout / 1000} s for ${options.what}: ${explain(last)}`, {
    cause: last,
  });
}
