import { setTimeout as delay } from 'node:timers/promises';
import type { Log } from '@gatehouse/lib/log.ts';
import { type Backoff, backoffDelay } from '@gatehouse/lib/retry.ts';
import type { Bell } from './bell.ts';
import type { Rotator } from './rotator.ts';

/** An API server that restarts is back within seconds; a right that is missing is mended by a person. */
const RETRY: Backoff = { first: 1_000, most: 60_000 };
/** Many changes at once, the own ones among them, make one round; a target that changes all the time, five a second. */
const LEAST_PAUSE_MS = 200;

/**
 * Advances a rotation when it is time, when the bell rings, and `every` so many milliseconds, until the signal aborts.
 * Never throws: what fails is logged and tried again.
 */
export async function keepRotating(
  rotator: Rotator,
  options: {
    readonly every: number;
    readonly bell: Bell;
    readonly log: Log;
    readonly signal: AbortSignal;
  },
): Promise<void> {
  const { bell, log, signal } = options;
  let failures = 0;
  const round = async (): Promise<number> => {
    try {
      const { until, complete } = await rotator.advance();
      failures = complete ? 0 : failures + 1;
      const rest = Math.min(until.getTime() - Date.now(), options.every);
      return complete ? rest : Math.min(rest, backoffDelay(RETRY, failures));
    } catch (err) {
      log.error({ err }, 'certificates not rotated');
      return backoffDelay(RETRY, failures++);
    }
  };
  while (!signal.aborted) {
    await bell.wait(await round(), signal);
    await delay(LEAST_PAUSE_MS, undefined, { signal }).catch(() => undefined);
  }
}
