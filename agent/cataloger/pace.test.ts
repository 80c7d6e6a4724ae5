import { array, assert, constantFrom, integer, property, record } from 'fast-check';
import { describe, expect, it } from 'vitest';
import { Pace, type Share } from './pace.ts';

const MIB = 1024 * 1024;
const CREDIT_MS = 200;
const LEAST_WAIT_MS = 20;

/** A worker whose clock moves only by what it does. */
class Worker {
  at = 0;
  used = 0;
  readonly #pace: Pace;

  constructor(share: Share) {
    this.#pace = new Pace(
      share,
      () => this.used,
      () => this.at,
    );
  }

  step(ms: number, bytes: number): number {
    this.at += ms;
    this.used += ms;
    const wait = this.#pace.due(bytes);
    this.at += wait;
    return wait;
  }
}

describe('the pace of an agent', () => {
  it('takes half a processor where it may take half of one', () => {
    const worker = new Worker({ processors: 0.5, bytesPerSecond: 1e12 });
    for (let step = 0; step < 1000; step++) worker.step(10, 0);
    expect(worker.used / worker.at).toBeCloseTo(0.5, 1);
  });

  it('reads as many bytes a second as it may', () => {
    const worker = new Worker({ processors: 8, bytesPerSecond: 10 * MIB });
    for (let step = 0; step < 100; step++) worker.step(1, MIB);
    expect(worker.at).toBeGreaterThan(9_500);
    expect(worker.at).toBeLessThan(10_000);
  });

  it('does not hold up what is short, nor what comes after a rest', () => {
    const worker = new Worker({ processors: 0.5, bytesPerSecond: 1e12 });
    expect(worker.step(100, 0)).toBe(0);
    worker.at += 60_000;
    expect(worker.step(100, 0)).toBe(0);
    expect(worker.step(400, 0)).toBeGreaterThan(0);
  });

  it('does not mind that a process with all that it used is gone', () => {
    const worker = new Worker({ processors: 1, bytesPerSecond: 1e12 });
    worker.used = 90_000;
    worker.step(1, 0);
    worker.used = 0;
    expect(worker.step(1, 0)).toBeLessThanOrEqual(90_000);
    expect(worker.step(1, 0)).toBeGreaterThanOrEqual(0);
  });

  it('never goes beyond its share by more than its credit, whatever the steps are', () => {
    const steps = array(
      record({ ms: integer({ min: 0, max: 200 }), bytes: integer({ min: 0, max: 4 * MIB }) }),
      {
        maxLength: 200,
      },
    );
    const shares = record({
      processors: constantFrom(0.1, 0.5, 1, 2),
      bytesPerSecond: constantFrom(MIB, 100 * MIB),
    });
    assert(
      property(shares, steps, (share, all) => {
        const worker = new Worker(share);
        let bytes = 0;
        for (const step of all) {
          worker.step(step.ms, step.bytes);
          bytes += step.bytes;
        }
        // No step here costs as much as the longest wait, so each one is paid for at once.
        const slack = CREDIT_MS + LEAST_WAIT_MS;
        expect(worker.used / share.processors).toBeLessThanOrEqual(worker.at + slack);
        expect((bytes / share.bytesPerSecond) * 1000).toBeLessThanOrEqual(worker.at + slack);
      }),
    );
  });
});
