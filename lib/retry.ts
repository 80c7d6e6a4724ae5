import { setTimeout as delay } from 'node:timers/promises';

/** How often and how far apart something is tried again. */
export interface Backoff {
  /** The first wait in milliseconds; each further one doubles. */
  readonly first: number;
  /** No wait is longer than this, in milliseconds. */
  readonly most: number;
}

/**
 * The wait before try number `attempt` (0 is the first wait), in milliseconds, with full jitter:
 * anywhere between half and the whole of the exponential step, so that a thousand agents
 * that lost the core at one moment do not come back at one moment.
 */
export function backoffDelay(backoff: Backoff, attempt: number, random: () => number = Math.random): number {
  const step = Math.min(backoff.most, backoff.first * 2 ** Math.min(attempt, 30));
  return step / 2 + (random() * step) / 2;
}

/**
 * Calls `operation` until it succeeds, `shouldRetry` says no, or the signal ends it; then the last error is thrown.
 * `attempt` counts from 0.
 */
export async function retry<T>(
  operation: (attempt: number) => Promise<T>,
  options: {
    backoff: Backoff;
    signal?: AbortSignal;
    shouldRetry?: (error: unknown, attempt: number) => boolean;
  },
): Promise<T> {
  for (let attempt = 0; ; attempt++) {
    try {
      return await operation(attempt);
    } catch (error) {
      if (options.signal?.aborted || options.shouldRetry?.(error, attempt) === false) throw error;
      await delay(
        backoffDelay(options.backoff, attempt),
        undefined,
        options.signal ? { signal: options.signal } : {},
      );
    }
  }
}
