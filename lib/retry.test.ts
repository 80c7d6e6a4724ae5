import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { backoffDelay, retry } from './retry.ts';

const backoff = { first: 1, most: 4 };

describe('a wait before the next try', () => {
  it('lies between half and the whole of a step that doubles up to the most', () => {
    const waits = fc.record({
      attempt: fc.nat(2_000),
      random: fc.double({ min: 0, max: 0.999, noNaN: true }),
    });
    fc.assert(
      fc.property(waits, ({ attempt, random }) => {
        const wait = backoffDelay({ first: 100, most: 5_000 }, attempt, () => random);
        const step = Math.min(5_000, 100 * 2 ** Math.min(attempt, 30));
        expect(wait).toBeGreaterThanOrEqual(step / 2);
        expect(wait).toBeLessThanOrEqual(step);
      }),
    );
  });
});

describe('what is tried again', () => {
  it('gives the first result there is', async () => {
    const result = await retry(
      async (attempt) => {
        if (attempt < 3) throw new Error('not yet');
        return attempt;
      },
      { backoff },
    );
    expect(result).toBe(3);
  });

  it('ends with the error that is not worth another try', async () => {
    let tries = 0;
    const operation = retry(
      async () => {
        tries++;
        throw new Error(tries < 3 ? 'passing' : 'final');
      },
      { backoff, shouldRetry: (error) => (error as Error).message === 'passing' },
    );
    await expect(operation).rejects.toThrow('final');
    expect(tries).toBe(3);
  });

  it('ends when it is told to, also while it waits', async () => {
    const ending = new AbortController();
    const operation = retry(() => Promise.reject(new Error('never')), {
      backoff: { first: 60_000, most: 60_000 },
      signal: ending.signal,
    });
    ending.abort();
    await expect(operation).rejects.toThrow();
  });
});
