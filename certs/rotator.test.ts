import type { X509Certificate } from 'node:crypto';
import { noLog } from '@gatehouse/lib/log.ts';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { isIssuedBy, parseCertificates } from './certificate.ts';
import { entryNames, type NewEntries } from './entries.ts';
import { CertsError } from './errors.ts';
import { parseServingNames } from './names.ts';
import { defaultSchedule } from './rotation.ts';
import { type Publication, Rotator } from './rotator.ts';
import type { MaterialStore, Stored } from './store.ts';

const MINUTE = 60_000;
const DAY = 86_400_000;
const YEAR = 365 * DAY;
const { settling } = defaultSchedule;

/** What was seen from a time on, until the next one. */
interface Seen<T> {
  readonly from: number;
  readonly value: T;
}

/** A store, targets and a clock in memory; everything that clients and replicas could ever have seen is kept. */
class World implements MaterialStore {
  readonly title = 'memory';
  readonly bundles: Seen<readonly X509Certificate[]>[] = [];
  readonly leaves: Seen<X509Certificate>[] = [];
  now = Date.parse('2030-01-01T00:00:00Z');
  targetsWork = true;
  stored: Stored | undefined;
  #version = 0;
  #published = '';

  async read(): Promise<Stored | undefined> {
    return this.stored;
  }

  async write(entries: NewEntries, previous: Stored | undefined): Promise<Stored> {
    if (previous?.version !== this.stored?.version) throw new CertsError('api_conflict', 'not the newest');
    const texts = Object.entries(entries).flatMap(([name, text]) =>
      text === undefined ? [] : [[name, text]],
    );
    const stored = {
      entries: Object.fromEntries(texts),
      version: String(++this.#version),
      renewal: this.stored?.renewal,
    };
    this.stored = stored;
    const [leaf] = parseCertificates(stored.entries[entryNames.cert] ?? '');
    if (leaf.serialNumber !== this.leaves.at(-1)?.value.serialNumber)
      this.leaves.push({ from: this.now, value: leaf });
    return stored;
  }

  readonly publish = async (bundle: string): Promise<Publication> => {
    if (this.#published === bundle) return 'held';
    if (!this.targetsWork) return 'incomplete';
    this.#published = bundle;
    this.bundles.push({ from: this.now, value: parseCertificates(bundle) });
    return 'written';
  };

  /** Something else writes over what a target held. */
  overwrite(): void {
    this.#published = '';
  }

  rotator(names = ['webhook.gatehouse-system.svc']): Rotator {
    return new Rotator({
      store: this,
      names: parseServingNames(names),
      schedule: defaultSchedule,
      publish: this.publish,
      now: () => new Date(this.now),
      log: noLog,
    });
  }

  /** An operator's wish, as an annotation. */
  ask(renewal: string): void {
    if (this.stored) this.stored = { ...this.stored, renewal, version: String(++this.#version) };
  }

  /** Does what is to be done, and lets the time pass until `end`. */
  async run(rotator: Rotator, end: number): Promise<void> {
    for (;;) {
      const { until } = await rotator.advance();
      expect(until.getTime()).toBeGreaterThan(this.now);
      if (until.getTime() > end) break;
      this.now = until.getTime();
    }
    this.now = end;
  }

  /**
   * Looks for a moment at which a client with a bundle that was the newest at most the settling time ago meets a leaf
   * that was the newest at most the settling time ago, and does not accept it. It compares all pairs that can meet, over
   * the whole time in which they can, so no moment is left out.
   */
  rejections(): string[] {
    const spans = <T>(seen: readonly Seen<T>[]) =>
      seen.map(({ from, value }, index) => ({
        value,
        from,
        to: Math.min(this.now, (seen[index + 1]?.from ?? this.now) + settling),
      }));
    return spans(this.bundles).flatMap((bundle) =>
      spans(this.leaves).flatMap((leaf) => {
        const from = Math.max(bundle.from, leaf.from);
        const to = Math.min(bundle.to, leaf.to);
        const accepted = bundle.value.some(
          (authority) =>
            isIssuedBy(leaf.value, authority) &&
            [authority, leaf.value].every(
              (each) => each.validFromDate.getTime() <= from && to <= each.validToDate.getTime(),
            ),
        );
        return from >= to || accepted
          ? []
          : [`${new Date(from).toISOString()} to ${new Date(to).toISOString()}`];
      }),
    );
  }
}

describe('ten years of rotation', () => {
  it('never let a client meet a leaf that it does not accept, however late clients and replicas learn', async () => {
    const world = new World();
    await world.run(world.rotator(), world.now + 10 * YEAR);
    // One every 60 days, and the settling times.
    expect(world.leaves.length).toBe(61);
    // Two changes for clients in each rotation: an authority comes, an authority goes.
    expect(world.bundles.length).toBe(1 + 60 * 2);
    expect(Math.max(...world.bundles.map(({ value }) => value.length))).toBe(2);
    expect(world.rejections()).toEqual([]);
  });

  it('would be found out if they did: without the settling time clients are cut off', async () => {
    const world = new World();
    const hasty = new Rotator({
      store: world,
      names: parseServingNames(['webhook.gatehouse-system.svc']),
      schedule: { ...defaultSchedule, settling: settling - 1 },
      publish: world.publish,
      now: () => new Date(world.now),
      log: noLog,
    });
    await world.run(hasty, world.now + YEAR);
    expect(world.rejections()).not.toEqual([]);
  });
});

describe('whatever happens to a rotation', () => {
  const happenings = {
    'an operator asks for renewal': (world: World, rotator: Rotator) => {
      world.ask(String(world.now));
      return rotator;
    },
    'another replica takes over': (world: World) => world.rotator(),
    'another replica takes over and wants a name more': (world: World) =>
      world.rotator(['webhook.gatehouse-system.svc', `name-${world.now}`]),
    'the Secret is deleted': (world: World, rotator: Rotator) => {
      world.stored = undefined;
      return rotator;
    },
    'the Secret is spoilt': (world: World, rotator: Rotator) => {
      if (world.stored) world.stored = { ...world.stored, entries: { [entryNames.cert]: 'x' } };
      return rotator;
    },
    'no issuer works for a week': (world: World, rotator: Rotator) => {
      world.now += 7 * DAY;
      return rotator;
    },
    'the targets do not take a bundle for a week': async (world: World, rotator: Rotator) => {
      world.targetsWork = false;
      await world.run(rotator, world.now + 7 * DAY);
      world.targetsWork = true;
      return rotator;
    },
  };
  const names = Object.keys(happenings) as (keyof typeof happenings)[];
  const happening = fc.record({
    // Often in the midst of a rotation, which takes twenty minutes.
    after: fc.oneof(fc.integer({ min: 0, max: 25 * MINUTE }), fc.integer({ min: DAY, max: 50 * DAY })),
    what: fc.constantFrom(...names),
  });

  it('no client meets a leaf that it does not accept', async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(happening, { maxLength: 20 }), async (course) => {
        const world = new World();
        let rotator = world.rotator();
        for (const { after, what } of course) {
          await world.run(rotator, world.now + after);
          rotator = await happenings[what](world, rotator);
          // The watch on the Secret, or the new holder of the Lease, acts at once.
          await rotator.advance();
        }
        await world.run(rotator, world.now + YEAR);
        expect(world.rejections()).toEqual([]);
        expect(world.bundles.at(-1)?.value.length).toBeLessThanOrEqual(2);
      }),
      { numRuns: 15 },
    );
  });
});

describe('bringing certificates forward', () => {
  it('begins at once, with clients and replicas told', async () => {
    const world = new World();
    const { until, complete } = await world.rotator().advance();
    expect(until).toEqual(new Date(world.now + 60 * DAY));
    expect(complete).toBe(true);
    expect(world.leaves).toHaveLength(1);
    expect(world.bundles).toHaveLength(1);
  });

  it('writes nothing when there is nothing to do', async () => {
    const world = new World();
    await world.rotator().advance();
    const before = world.stored;
    await world.rotator().advance();
    expect(world.stored).toBe(before);
  });

  it('fulfils a wish for renewal that was there before the certificates', async () => {
    const world = new World();
    world.stored = { entries: {}, version: '0', renewal: 'please' };
    await world.run(world.rotator(), world.now + DAY);
    expect(world.leaves).toHaveLength(1);
  });

  it('lets the next authority settle anew if a target had lost it', async () => {
    const world = new World();
    const rotator = world.rotator();
    await rotator.advance();
    world.ask('now');
    await rotator.advance();
    world.now += settling - MINUTE;
    world.overwrite();
    const { until } = await rotator.advance();
    expect(until).toEqual(new Date(world.now + settling));
    expect(world.leaves).toHaveLength(1);
  });

  it('does not count the settling time while a target does not take the next authority', async () => {
    const world = new World();
    const rotator = world.rotator();
    await rotator.advance();
    world.ask('now');
    world.targetsWork = false;
    expect(await rotator.advance()).toMatchObject({ complete: false });
    world.now += DAY;
    expect(await rotator.advance()).toMatchObject({ complete: false });
    expect(world.leaves).toHaveLength(1);
    world.targetsWork = true;
    expect(await rotator.advance()).toEqual({ until: new Date(world.now + settling), complete: true });
  });

  it('starts again with new certificates where no memory of lost ones is left', async () => {
    const world = new World();
    await world.rotator().advance();
    world.stored = undefined;
    await world.rotator().advance();
    expect(world.leaves).toHaveLength(2);
    expect(world.bundles.at(-1)?.value).toHaveLength(1);
  });

  it('gives up for now if something undoes each step', async () => {
    const world = new World();
    const write = world.write.bind(world);
    world.write = async (entries, previous) => {
      const stored = await write(entries, previous);
      return { ...stored, entries: { ...stored.entries, [entryNames.key]: 'undone' } };
    };
    await expect(world.rotator().advance()).rejects.toMatchObject({ code: 'rotation_stuck' });
  });

  it('leaves to the next round what somebody else changed in between', async () => {
    const world = new World();
    await world.rotator().advance();
    world.ask('now');
    const read = world.stored;
    world.read = async () => read;
    world.ask('at once');
    await expect(world.rotator().advance()).rejects.toMatchObject({ code: 'api_conflict' });
  });
});
