import { noLog } from '@gatehouse/lib/log.ts';
import { describe, expect, it } from 'vitest';
import { CertsError } from './errors.ts';
import type { Publisher } from './publisher.ts';
import { Publishing } from './publishing.ts';

/** A place in memory, with how often it was written. */
class Target implements Publisher {
  readonly title = 'target';
  held = '';
  writes = 0;
  missing = false;

  async holds(bundle: string): Promise<boolean> {
    if (this.missing) throw new CertsError('target_missing', 'no target');
    return this.held === bundle;
  }

  async write(bundle: string): Promise<void> {
    this.held = bundle;
    this.writes++;
  }

  follow(): AsyncDisposable {
    return { [Symbol.asyncDispose]: async () => undefined };
  }
}

function publishingTo(...targets: Target[]): { publishing: Publishing; pass: (seconds: number) => void } {
  let now = 0;
  const pass = (seconds: number): void => {
    now += seconds * 1000;
  };
  return { publishing: new Publishing(targets, noLog, () => now), pass };
}

describe('publishing', () => {
  it('writes where the bundle is not, and only there', async () => {
    const [one, other] = [new Target(), new Target()];
    one.held = 'bundle';
    const { publishing } = publishingTo(one, other);
    expect(await publishing.publish('bundle')).toBe('written');
    expect([one.writes, other.writes]).toEqual([0, 1]);
    expect(await publishing.publish('bundle')).toBe('held');
  });

  it('is incomplete, and goes on with the others, if a target is missing', async () => {
    const [one, other] = [new Target(), new Target()];
    one.missing = true;
    const { publishing } = publishingTo(one, other);
    expect(await publishing.publish('bundle')).toBe('incomplete');
    expect(other.held).toBe('bundle');
  });

  it('holds where there is no target', async () => {
    expect(await publishingTo().publishing.publish('bundle')).toBe('held');
  });

  it('mends at once what somebody wrote over', async () => {
    const target = new Target();
    const { publishing } = publishingTo(target);
    await publishing.publish('bundle');
    target.held = 'theirs';
    expect(await publishing.publish('bundle')).toBe('written');
    expect(target.held).toBe('bundle');
  });

  it('writes a new bundle at once, also in the midst of a fight', async () => {
    const target = new Target();
    const { publishing } = publishingTo(target);
    for (const bundle of ['one', 'one', 'one', 'two', 'three']) {
      await publishing.publish(bundle);
      target.held = 'theirs';
    }
    expect(target.writes).toBe(4);
  });
});

describe('a fight with somebody who always writes over', () => {
  /** Everybody writes as often as they can; gives how often we did. */
  async function fight(
    target: Target,
    publishing: Publishing,
    seconds: number,
    pass: (seconds: number) => void,
  ) {
    const before = target.writes;
    for (let second = 0; second < seconds; second++) {
      target.held = 'theirs';
      await publishing.publish('bundle');
      pass(1);
    }
    return target.writes - before;
  }

  it('is fought ever more seldom, but not given up', async () => {
    const target = new Target();
    const { publishing, pass } = publishingTo(target);
    await publishing.publish('bundle');
    // Waits of 1, 2, 4, …, 256 and then 300 s, each shortened at random by up to a half.
    const firstHour = await fight(target, publishing, 3600, pass);
    expect(firstHour).toBeGreaterThan(15);
    expect(firstHour).toBeLessThan(40);
    const secondHour = await fight(target, publishing, 3600, pass);
    expect(secondHour).toBeGreaterThanOrEqual(12);
    expect(secondHour).toBeLessThanOrEqual(25);
  });

  it('is forgotten after a long peace', async () => {
    const target = new Target();
    const { publishing, pass } = publishingTo(target);
    await publishing.publish('bundle');
    await fight(target, publishing, 600, pass);
    target.held = 'bundle';
    pass(601);
    await publishing.publish('bundle');
    expect(await fight(target, publishing, 2, pass)).toBe(2);
  });
});
