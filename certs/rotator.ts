import type { Log } from '@gatehouse/lib/log.ts';
import { fromEntries, toEntries } from './entries.ts';
import { CertsError } from './errors.ts';
import {
  bundleOf,
  endOf,
  firstMaterial,
  type Generation,
  type Material,
  published,
  staged,
  switched,
  withoutRetired,
} from './material.ts';
import type { ServingNames } from './names.ts';
import { nextStep, type Schedule, type Step } from './rotation.ts';
import type { MaterialStore, Stored } from './store.ts';

/** `held`: every target had the bundle; `written`: some had to be given it; `incomplete`: some still lack it. */
export type Publication = 'held' | 'written' | 'incomplete';

export interface RotatorContext {
  readonly store: MaterialStore;
  readonly names: ServingNames;
  readonly schedule: Schedule;
  readonly publish: (bundle: string) => Promise<Publication>;
  readonly now: () => Date;
  readonly log: Log;
}

/** Issue, stage, switch and retire are four; twice as many in a row means that something undoes them. */
const MAX_STEPS = 8;

interface Known {
  readonly stored: Stored | undefined;
  /** As stored, or as remembered if that is lost. */
  readonly material: Material | undefined;
  readonly lost: boolean;
}

/**
 * Brings the certificates of one server forward, step by step, until there is nothing to do but wait. The bundle is
 * published before each step, so that a switch finds its authority with the clients.
 */
export class Rotator {
  readonly #context: RotatorContext;
  /** What was last good. If the store loses it, clients still trust it and replicas still serve it. */
  #remembered: Material | undefined;

  constructor(context: RotatorContext) {
    this.#context = context;
  }

  /**
   * Gives the time of the next step, and whether every target holds the bundle.
   * Throws CertsError; called again, it goes on where it was.
   */
  async advance(): Promise<{ readonly until: Date; readonly complete: boolean }> {
    const { names, schedule, now, log, store } = this.#context;
    let known = this.#parse(await store.read());
    for (let steps = 0; steps < MAX_STEPS; steps++) {
      const publication = await this.#publish(known);
      known = await this.#confirm(known, publication);
      const wanted = { names, schedule, renewal: known.stored?.renewal };
      const step = nextStep({ ...known, wanted, now: now() });
      if (step.kind === 'wait') return { until: step.until, complete: publication !== 'incomplete' };
      known = await this.#save(known, await this.#perform(step, known));
      const { kind, ...why } = step;
      const ends = known.material && endOf(known.material.serving);
      log.info({ store: store.title, step: kind, ...why, ends }, 'certificates brought forward');
    }
    throw new CertsError(
      'rotation_stuck',
      `${MAX_STEPS} steps in a row on ${store.title} did not come to rest`,
      { hint: 'Look for something else that changes it.' },
    );
  }

  #parse(stored: Stored | undefined): Known {
    const material = this.#fromEntries(stored);
    const lost = material === undefined && this.#remembered !== undefined;
    const { log, store } = this.#context;
    if (lost) log.error({ store: store.title }, 'certificates lost; they are renewed');
    this.#remembered = material ?? this.#remembered;
    return { stored, material: this.#remembered, lost };
  }

  #fromEntries(stored: Stored | undefined): Material | undefined {
    const { log, store } = this.#context;
    try {
      return stored && fromEntries(stored.entries);
    } catch (err) {
      log.error({ err, store: store.title }, 'stored certificates unusable');
      return undefined;
    }
  }

  async #publish({ material, lost }: Known): Promise<Publication | undefined> {
    return material && !lost ? this.#context.publish(bundleOf(material)) : undefined;
  }

  /** Remembers in the store since when clients could learn of the next authority. */
  async #confirm(known: Known, publication: Publication | undefined): Promise<Known> {
    const next = known.material?.next;
    if (!known.material || !next || !publication) return known;
    const publishedAt = {
      held: next.publishedAt ?? this.#context.now(),
      written: this.#context.now(),
      incomplete: undefined,
    }[publication];
    if (publishedAt?.getTime() === next.publishedAt?.getTime()) return known;
    return this.#save(known, published(known.material, publishedAt));
  }

  async #perform(step: Exclude<Step, { kind: 'wait' }>, { stored, material }: Known): Promise<Material> {
    const renewal = stored?.renewal ?? material?.renewal ?? '';
    if (!material || step.kind === 'issue') return firstMaterial(await this.#issue(), renewal);
    switch (step.kind) {
      case 'stage':
        return staged(material, await this.#issue(), renewal);
      case 'switch':
        return switched(material, this.#context.now());
      case 'retire':
        return withoutRetired(material);
    }
  }

  async #save({ stored }: Known, material: Material): Promise<Known> {
    return this.#parse(await this.#context.store.write(toEntries(material), stored));
  }

  async #issue(): Promise<Generation> {
    // Only the one issuer ever needs it, seldom; the library behind it takes 0.1 s and 16 MB to load.
    const { issueGeneration } = await import('./authority.ts');
    return issueGeneration(this.#context.names, {
      now: this.#context.now(),
      lifetime: this.#context.schedule.lifetime,
    });
  }
}
