import { randomUUID } from 'node:crypto';
import { hostname } from 'node:os';
import { setTimeout as delay } from 'node:timers/promises';
import type { Log } from '@gatehouse/lib/log.ts';
import type { V1Lease, V1LeaseSpec } from '@kubernetes/client-node';
import type { OwnObject } from './api-object.ts';
import { CertsError } from './errors.ts';

/** In milliseconds. */
export interface LeaseTiming {
  /** Others take a Lease over that was not renewed for this long. */
  readonly duration: number;
  /** How often a holder renews, and how often the others look. */
  readonly retry: number;
}

/**
 * Nothing that an issuer does is urgent to the minute, and each renewal is a write to etcd: six a minute, where the
 * timing that controllers use makes thirty.
 */
export const defaultLeaseTiming: LeaseTiming = { duration: 60_000, retry: 10_000 };

/** Contenders that started together must not ask together for ever. */
const JITTER = 0.2;
/** A holder that could not renew stops its work this early, before anybody can take over: clocks run unevenly. */
const STOP_AFTER = 2 / 3;

interface Contest {
  readonly lease: OwnObject<V1Lease>;
  readonly timing: LeaseTiming;
  readonly log: Log;
}

/**
 * Runs `work` whenever this process holds the Lease, until `signal` ends it; the signal that `work` gets aborts when the
 * Lease is lost, too. In the end the Lease is given back, so that the next holder need not wait.
 * Never throws; nor may `work`.
 */
export async function runAsHolder(
  contest: Contest,
  signal: AbortSignal,
  work: (signal: AbortSignal) => Promise<void>,
): Promise<void> {
  const contender = new Contender(contest);
  while (!signal.aborted) {
    if (await contender.take()) await hold(contest, contender, signal, work);
    else await pause(contest.timing, signal);
  }
}

async function hold(
  { lease, timing, log }: Contest,
  contender: Contender,
  signal: AbortSignal,
  work: (signal: AbortSignal) => Promise<void>,
): Promise<void> {
  const losing = new AbortController();
  const watchdog = setTimeout(() => losing.abort(), timing.duration * STOP_AFTER);
  const ending = AbortSignal.any([signal, losing.signal]);
  log.info({ lease: lease.title }, 'lease taken');
  const working = work(ending);
  while (await pause(timing, ending)) {
    const answer = await contender.renew();
    if (answer === 'renewed') watchdog.refresh();
    if (answer === 'lost') losing.abort();
  }
  clearTimeout(watchdog);
  await working;
  if (signal.aborted) await contender.release();
  else log.warn({ lease: lease.title }, 'lease lost');
}

/** One process's part in a Lease. What goes wrong is logged, and counts as not having it. */
class Contender {
  readonly #contest: Contest;
  /** A pod's name alone would let a restarted container pass for its predecessor. */
  readonly #identity = `${hostname()}_${randomUUID()}`;
  /** The version last seen of the Lease, and the own clock at that time: clocks of others prove nothing. */
  #seen: { readonly version: string | undefined; readonly at: number } | undefined;

  constructor(contest: Contest) {
    this.#contest = contest;
  }

  async take(): Promise<boolean> {
    return this.#try('lease not taken', false, async () => {
      const { lease, timing } = this.#contest;
      const found = (await lease.read()) ?? (await lease.create({}));
      const isOwn = found.spec?.holderIdentity === this.#identity;
      if (!isOwn && !isFree(found.spec, this.#unchangedFor(found))) return false;
      const now = microTime();
      await this.#write(found, {
        holderIdentity: this.#identity,
        leaseDurationSeconds: Math.ceil(timing.duration / 1000),
        acquireTime: now,
        renewTime: now,
        leaseTransitions: (found.spec?.leaseTransitions ?? 0) + 1,
      });
      return true;
    });
  }

  async renew(): Promise<'renewed' | 'lost' | 'unknown'> {
    return this.#try('lease not renewed', 'unknown', async () => {
      const found = await this.#contest.lease.read();
      if (found?.spec?.holderIdentity !== this.#identity) return 'lost';
      await this.#write(found, { renewTime: microTime() });
      return 'renewed';
    });
  }

  async release(): Promise<void> {
    await this.#try('lease not given back', undefined, async () => {
      const found = await this.#contest.lease.read();
      if (found?.spec?.holderIdentity !== this.#identity) return;
      await this.#write(found, { holderIdentity: null, leaseDurationSeconds: null, renewTime: null });
    });
  }

  /** Fails if anybody else wrote in between. */
  async #write(found: V1Lease, spec: object): Promise<void> {
    const { resourceVersion } = found.metadata ?? {};
    await this.#contest.lease.patch({ metadata: { resourceVersion }, spec });
  }

  #unchangedFor(found: V1Lease): number {
    const version = found.metadata?.resourceVersion;
    if (this.#seen?.version !== version) this.#seen = { version, at: performance.now() };
    return performance.now() - (this.#seen?.at ?? performance.now());
  }

  async #try<R>(failure: string, otherwise: R, operation: () => Promise<R>): Promise<R> {
    const { lease, log } = this.#contest;
    try {
      return await operation();
    } catch (err) {
      const expected = err instanceof CertsError && err.code === 'api_conflict';
      log[expected ? 'debug' : 'warn']({ err, lease: lease.title }, failure);
      return otherwise;
    }
  }
}

/**
 * Whether a Lease may be taken that was seen without a change for `unchangedFor` milliseconds: nobody holds it, or its
 * holder let the time pass that it said itself.
 */
export function isFree(spec: V1LeaseSpec | undefined, unchangedFor: number): boolean {
  if (!spec?.holderIdentity) return true;
  return unchangedFor >= (spec.leaseDurationSeconds ?? 0) * 1000;
}

/** False if the signal ended the pause. */
async function pause(timing: LeaseTiming, signal: AbortSignal): Promise<boolean> {
  const time = timing.retry * (1 + JITTER * Math.random());
  return delay(time, true, { signal }).catch(() => false);
}

/** Times of Leases have exactly six digits after the second. */
function microTime(): string {
  return new Date().toISOString().replace('Z', '000Z');
}
