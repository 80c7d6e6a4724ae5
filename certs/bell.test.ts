import { describe, expect, it } from 'vitest';
import { Bell } from './bell.ts';

const NEVER = new AbortController().signal;
/** Longer than any test may take. */
const LONG = 3_600_000;

describe('a bell', () => {
  it('ends a wait when it rings', async () => {
    const bell = new Bell();
    const waiting = bell.wait(LONG, NEVER);
    bell.ring();
    await waiting;
  });

  it('is not missed by who begins to wait afterwards, but counts once', async () => {
    const bell = new Bell();
    bell.ring();
    bell.ring();
    await bell.wait(LONG, NEVER);
    let over = false;
    const waiting = bell.wait(LONG, NEVER).then(() => {
      over = true;
    });
    await new Promise(setImmediate);
    expect(over).toBe(false);
    bell.ring();
    await waiting;
  });

  it('lets a wait end by time and by signal', async () => {
    const bell = new Bell();
    await bell.wait(1, NEVER);
    await bell.wait(LONG, AbortSignal.abort());
  });
});
