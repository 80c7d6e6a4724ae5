import { CertsError } from './errors.ts';
import { endOf, type Generation, type Material } from './material.ts';
import { carriesNames, type ServingNames } from './names.ts';

/** How long certificates live and how fast clients and replicas learn of new ones, in milliseconds. */
export interface Schedule {
  readonly lifetime: number;
  /**
   * After this time every client trusts what was published and every replica serves what was stored. API servers see a
   * webhook configuration within seconds; the kubelet refreshes a mounted ConfigMap within about 90 seconds.
   */
  readonly settling: number;
}

/**
 * A rotation every 60 days is done often enough to be known to work. Ten minutes are several times what a busy kubelet
 * takes; the only ones who wait for it are a new name and an operator's wish.
 */
export const defaultSchedule: Schedule = { lifetime: 90 * 86_400_000, settling: 10 * 60_000 };

/** A third of the lifetime is left for whatever stops a rotation to be noticed and mended: 30 of 90 days. */
const RENEWAL_WINDOW = 1 / 3;
/** In the renewal window, authorities settle before the switch and leaves after it; as much again is reserve. */
const SETTLINGS_IN_WINDOW = 4;

/** Throws CertsError `schedule_invalid` if a rotation does not fit into the renewal window. */
export function parseSchedule(schedule: Schedule): Schedule {
  const least = (schedule.settling * SETTLINGS_IN_WINDOW) / RENEWAL_WINDOW;
  if (schedule.settling >= 0 && schedule.lifetime > 0 && schedule.lifetime >= least) return schedule;
  throw new CertsError(
    'schedule_invalid',
    `a lifetime of ${schedule.lifetime} ms is too short for a settling time of ${schedule.settling} ms`,
    { hint: `The lifetime is at least ${SETTLINGS_IN_WINDOW / RENEWAL_WINDOW} times the settling time.` },
  );
}

/** What the certificates should be. */
interface Wanted {
  readonly names: ServingNames;
  /** The value of the annotation by which an operator asks for renewal; undefined if there is none. */
  readonly renewal: string | undefined;
  readonly schedule: Schedule;
}

export interface Situation {
  /** As stored, or as remembered from before it was lost. */
  readonly material: Material | undefined;
  /** The stored material is gone or unusable; what `material` says is only remembered. */
  readonly lost: boolean;
  readonly wanted: Wanted;
  readonly now: Date;
}

type Reason = 'first' | 'ended' | 'lost' | 'due' | 'names' | 'requested';

/**
 * What is to be done next.
 * - `issue`: serve a new generation at once, since there is no other that a client could accept.
 * - `stage`: make a new generation and publish its authority beside the old one; the old leaf stays served.
 * - `switch`: serve the staged generation; its predecessor's authority stays published.
 * - `retire`: publish without the authorities whose leaves nobody serves any more.
 * - `wait`: nothing, until the given time or until the situation changes.
 */
export type Step =
  | { readonly kind: 'issue' | 'stage'; readonly reason: Reason }
  | { readonly kind: 'switch' | 'retire' }
  | { readonly kind: 'wait'; readonly until: Date };

/**
 * The whole policy of rotation: the first rule that applies says what to do. Two properties follow from it. Clients that
 * learn of a bundle, and replicas that learn of a leaf, within the settling time never meet a leaf that they do not
 * trust, unless a generation ends before its rotation is over. And nothing that works is given up before what follows it.
 */
export function nextStep({ material, ...others }: Situation): Step {
  if (!material) return { kind: 'issue', reason: 'first' };
  const facts = { ...others, material };
  for (const rule of rules) {
    const step = rule(facts);
    if (step) return step;
  }
  return { kind: 'wait', until: quietUntil(facts) };
}

type Facts = Situation & { readonly material: Material };

const rules: readonly ((facts: Facts) => Step | undefined)[] = [
  ({ material, now }) =>
    now >= endOf(material.serving) && !nextWorks(material, now)
      ? { kind: 'issue', reason: 'ended' }
      : undefined,

  ({ lost }) => (lost ? { kind: 'stage', reason: 'lost' } : undefined),

  // Late in the life of what is served it no longer matters whether every target holds the next authority:
  // after the switch some clients might fail, without it all of them.
  ({ material, now, wanted }) =>
    now >= lastCall(material, wanted.schedule) && nextWorks(material, now) ? { kind: 'switch' } : undefined,

  ({ material: { retired }, now, wanted }) =>
    retired && now >= settled(retired.since, wanted.schedule) ? { kind: 'retire' } : undefined,

  (facts) => {
    const reason = outdatedBecause(facts);
    return reason && { kind: 'stage', reason };
  },

  ({ material: { next }, now, wanted }) =>
    next?.publishedAt && now >= settled(next.publishedAt, wanted.schedule) ? { kind: 'switch' } : undefined,
];

function outdatedBecause({ material, wanted, now }: Facts): Reason | undefined {
  if (now >= renewalTime(material, wanted.schedule)) return 'due';
  if (!carriesNames(newest(material).leaf, wanted.names)) return 'names';
  if (wanted.renewal !== undefined && wanted.renewal !== material.renewal) return 'requested';
  return undefined;
}

/** The earliest time at which, nothing else happening, a rule applies. */
function quietUntil({ material, wanted: { schedule } }: Facts): Date {
  const { next, retired } = material;
  const times = [
    renewalTime(material, schedule),
    next && lastCall(material, schedule),
    next?.publishedAt && settled(next.publishedAt, schedule),
    retired && settled(retired.since, schedule),
  ];
  return new Date(Math.min(...times.flatMap((time) => time?.getTime() ?? [])));
}

function newest({ serving, next }: Material): Generation {
  return next?.generation ?? serving;
}

function nextWorks({ next }: Material, now: Date): boolean {
  return next !== undefined && now < endOf(next.generation);
}

function renewalTime(material: Material, { lifetime }: Schedule): Date {
  return after(endOf(newest(material)), -lifetime * RENEWAL_WINDOW);
}

/** Replicas take up to the settling time to serve something else, and have to do so before the end. */
function lastCall({ serving }: Material, { settling }: Schedule): Date {
  return after(endOf(serving), -settling);
}

function settled(since: Date, { settling }: Schedule): Date {
  return after(since, settling);
}

function after(time: Date, milliseconds: number): Date {
  return new Date(time.getTime() + milliseconds);
}
