import { describe, expect, it } from 'vitest';
import { isFree } from './lease.ts';

describe('a Lease', () => {
  it('is free if nobody holds it', () => {
    expect(isFree(undefined, 0)).toBe(true);
    expect(isFree({}, 0)).toBe(true);
    expect(isFree({ holderIdentity: '', leaseDurationSeconds: 60 }, 0)).toBe(true);
  });

  it('is free once its holder let pass the time that it said itself, on the clock of the one who looks', () => {
    const held = { holderIdentity: 'other', leaseDurationSeconds: 60, renewTime: new Date(0) };
    expect(isFree(held, 0)).toBe(false);
    expect(isFree(held, 59_999)).toBe(false);
    expect(isFree(held, 60_000)).toBe(true);
  });
});
