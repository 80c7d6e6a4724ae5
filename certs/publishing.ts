import type { Log } from '@gatehouse/lib/log.ts';
import { type Backoff, backoffDelay } from '@gatehouse/lib/retry.ts';
import { CertsError } from './errors.ts';
import type { Publisher } from './publisher.ts';
import type { Publication } from './rotator.ts';

/** Against another writer: the first time may be an accident and is mended at once, a war is fought every five minutes. */
const FIGHT_BACKOFF: Backoff = { first: 1_000, most: 5 * 60_000 };

/** Keeps a bundle in all its places. `clock` is monotonic, in milliseconds. */
export class Publishing {
  readonly #places: readonly Place[];
  readonly #log: Log;

  constructor(publishers: readonly Publisher[], log: Log, clock: () => number = () => performance.now()) {
    this.#places = publishers.map((publisher) => new Place(publisher, clock));
    this.#log = log;
  }

  /** Never throws: a place that fails is logged, and makes the publication incomplete. */
  async publish(bundle: string): Promise<Publication> {
    const outcomes = new Set<Publication>();
    for (const place of this.#places) outcomes.add(await this.#bring(place, bundle));
    return (['incomplete', 'written'] as const).find((outcome) => outcomes.has(outcome)) ?? 'held';
  }

  async #bring(place: Place, bundle: string): Promise<Publication> {
    try {
      const outcome = await place.bring(bundle);
      if (outcome === 'written') this.#log.info({ target: place.title }, 'authorities published');
      return outcome;
    } catch (err) {
      this.#log.error({ err, target: place.title }, 'authorities not published');
      return 'incomplete';
    }
  }
}

class Place {
  readonly #publisher: Publisher;
  readonly #clock: () => number;
  #written: string | undefined;
  #fights = 0;
  #patientUntil = 0;

  constructor(publisher: Publisher, clock: () => number) {
    this.#publisher = publisher;
    this.#clock = clock;
  }

  get title(): string {
    return this.#publisher.title;
  }

  async bring(bundle: string): Promise<Publication> {
    if (await this.#publisher.holds(bundle)) return 'held';
    if (bundle === this.#written) this.#fight();
    await this.#publisher.write(bundle);
    this.#written = bundle;
    return 'written';
  }

  /** Throws as long as it is too early to write once more over what somebody else wrote. */
  #fight(): void {
    const now = this.#clock();
    if (now < this.#patientUntil) {
      throw new CertsError(
        'bundle_overwritten',
        `the authorities in ${this.title} were written over ${this.#fights} times`,
        {
          hint: 'Leave caBundle, or the key of the ConfigMap, out of what other tools apply.',
        },
      );
    }
    if (now > this.#patientUntil + FIGHT_BACKOFF.most) this.#fights = 0;
    this.#patientUntil = now + backoffDelay(FIGHT_BACKOFF, this.#fights++);
  }
}
