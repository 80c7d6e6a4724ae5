import { beforeAll, describe, expect, it } from 'vitest';
import { issueGeneration } from './authority.ts';
import {
  endOf,
  firstMaterial,
  type Generation,
  type Material,
  published,
  staged,
  switched,
  withoutRetired,
} from './material.ts';
import { parseServingNames } from './names.ts';
import { defaultSchedule, nextStep, parseSchedule, type Situation, type Step } from './rotation.ts';

const MINUTE = 60_000;
const DAY = 86_400_000;
const start = new Date('2030-01-01T00:00:00Z');
const names = parseServingNames(['webhook.gatehouse-system.svc']);
const issueOn = (day: number, lifetime = 90 * DAY) => issueGeneration(names, { now: on(day), lifetime });

/** A time so many days, and minutes, after the first issue. */
function on(day: number, minutes = 0): Date {
  return new Date(start.getTime() + day * DAY + minutes * MINUTE);
}

function step(
  material: Material | undefined,
  now: Date,
  changes: Partial<Situation & Situation['wanted']> = {},
): Step {
  const { lost = false, names: wantedNames = names, renewal } = changes;
  return nextStep({
    material,
    lost,
    now,
    wanted: { names: wantedNames, renewal, schedule: defaultSchedule },
  });
}

let old: Generation;
let young: Generation;
let serving: Material;
let staging: Material;
let settling: Material;
let retiring: Material;

beforeAll(async () => {
  [old, young] = await Promise.all([issueOn(0), issueOn(60)]);
  serving = firstMaterial(old, '');
  staging = staged(serving, young, '');
  settling = published(staging, on(60, 1));
  retiring = switched(settling, on(60, 11));
});

describe('a rotation, in its order', () => {
  it('begins with issuing', () => {
    expect(step(undefined, start)).toEqual({ kind: 'issue', reason: 'first' });
  });

  it('rests for two thirds of the lifetime', () => {
    expect(step(serving, start)).toEqual({ kind: 'wait', until: on(60) });
    expect(step(serving, on(60, -1))).toEqual({ kind: 'wait', until: on(60) });
  });

  it('stages what is next then, and serves the old', () => {
    expect(step(serving, on(60))).toEqual({ kind: 'stage', reason: 'due' });
  });

  it('does not switch as long as a target lacks the next authority', () => {
    expect(step(staging, on(79))).toEqual({ kind: 'wait', until: on(90, -10) });
  });

  it('switches when all targets have had it for the settling time', () => {
    expect(step(settling, on(60, 2))).toEqual({ kind: 'wait', until: on(60, 11) });
    expect(step(settling, on(60, 11))).toEqual({ kind: 'switch' });
  });

  it('keeps the old authority for replicas that have not seen the switch, and then drops it', () => {
    expect(step(retiring, on(60, 12))).toEqual({ kind: 'wait', until: on(60, 21) });
    expect(step(retiring, on(60, 21))).toEqual({ kind: 'retire' });
    expect(step(withoutRetired(retiring), on(60, 22))).toEqual({ kind: 'wait', until: on(120) });
  });
});

describe('renewal comes early', () => {
  it('when the authority ends before the leaf', async () => {
    const shortLived = await issueOn(0, 45 * DAY);
    const material = firstMaterial({ ...old, authority: shortLived.authority }, '');
    expect(endOf(material.serving)).toEqual(on(45));
    expect(step(material, on(15, -1))).toEqual({ kind: 'wait', until: on(15) });
    expect(step(material, on(15))).toEqual({ kind: 'stage', reason: 'due' });
  });

  it('when the names change', () => {
    const more = parseServingNames([...names.dns, '10.96.0.7']);
    expect(step(serving, on(1), { names: more })).toEqual({ kind: 'stage', reason: 'names' });
  });

  it('when an operator asks, once for each new wish', () => {
    expect(step(serving, on(1), { renewal: '1' })).toEqual({ kind: 'stage', reason: 'requested' });
    const fulfilled = staged(serving, young, '1');
    expect(step(fulfilled, on(1), { renewal: '1' }).kind).toBe('wait');
    expect(step(fulfilled, on(1), { renewal: '2' })).toEqual({ kind: 'stage', reason: 'requested' });
    expect(step(fulfilled, on(1), {}).kind).toBe('wait');
  });

  it('when the store lost its material, while the old is still served', () => {
    expect(step(serving, on(1), { lost: true })).toEqual({ kind: 'stage', reason: 'lost' });
    expect(step(settling, on(60, 11), { lost: true })).toEqual({ kind: 'stage', reason: 'lost' });
  });

  it('makes what is next anew if it is outdated before it was ever served', () => {
    const more = parseServingNames([...names.dns, '10.96.0.7']);
    expect(step(settling, on(60, 11), { names: more })).toEqual({ kind: 'stage', reason: 'names' });
  });
});

describe('when things went wrong for long', () => {
  it('switches before the old ends, though a target never took the next authority', () => {
    expect(step(staging, on(90, -11)).kind).toBe('wait');
    expect(step(staging, on(90, -10))).toEqual({ kind: 'switch' });
  });

  it('switches at once if the old has ended and the next has not', () => {
    expect(step(staging, on(100))).toEqual({ kind: 'switch' });
  });

  it('stages and switches one after the other if the issuer was away until just before the end', () => {
    expect(step(serving, on(90, -1))).toEqual({ kind: 'stage', reason: 'due' });
    expect(step(staging, on(90, -1))).toEqual({ kind: 'switch' });
  });

  it('issues at once if everything has ended', () => {
    expect(step(serving, on(90))).toEqual({ kind: 'issue', reason: 'ended' });
    expect(step(serving, on(90), { lost: true })).toEqual({ kind: 'issue', reason: 'ended' });
    expect(step(settling, on(150))).toEqual({ kind: 'issue', reason: 'ended' });
  });
});

describe('a schedule', () => {
  it('is refused if a rotation does not fit into the last third of a lifetime', () => {
    const settling = 10 * MINUTE;
    expect(parseSchedule({ lifetime: 12 * settling, settling })).toEqual({
      lifetime: 12 * settling,
      settling,
    });
    for (const wrong of [
      { lifetime: 12 * settling - 1, settling },
      { lifetime: 0, settling: 0 },
      { lifetime: DAY, settling: -1 },
      { lifetime: Number.NaN, settling },
    ]) {
      expect(() => parseSchedule(wrong)).toThrow(expect.objectContaining({ code: 'schedule_invalid' }));
    }
  });
});
