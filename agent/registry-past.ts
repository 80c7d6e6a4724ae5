import { type Backoff, backoffDelay } from '@gatehouse/lib/retry.ts';

/** A registry that is away is tried so often for an image; what it lacks, or refuses, is final. */
const MAX_ATTEMPTS = 5;
/** In the order of the minutes that registries are away for. */
const RETRY_BACKOFF = { first: 60_000, most: 900_000 };
/** Images of a node come from a handful. */
const MAX_HOSTS = 100;
/** More images than a node may report. */
const MAX_IMAGES = 5000;

/** Which registries were away, and how often images were tried in vain for it. */
export class RegistryPast {
  readonly #retry: Backoff;
  readonly #attempts = new Map<string, number>();
  /** When (by performance.now) registries are asked again, and why not now. */
  readonly #away = new Map<string, { readonly until: number; readonly why: string }>();

  constructor(retry: Backoff = RETRY_BACKOFF) {
    this.#retry = retry;
  }

  /** Why the registry is not asked now, in the words of who asked a moment ago; undefined if it can be asked. */
  whyAway(host: string): string | undefined {
    const { until = 0, why } = this.#away.get(host) ?? {};
    return until > performance.now() ? why : undefined;
  }

  noteAway(host: string, why: string): void {
    if (this.whyAway(host) !== undefined) return;
    if (this.#away.size >= MAX_HOSTS) this.#away.clear();
    // No image is tried again sooner.
    this.#away.set(host, { until: performance.now() + this.#retry.first / 2, why });
  }

  /** After a try of an image: the milliseconds until it is worth another one, if it is. */
  retryInMs(image: string, wasAway: boolean): number | undefined {
    const attempt = (this.#attempts.get(image) ?? 0) + 1;
    this.#attempts.delete(image);
    if (!wasAway || attempt >= MAX_ATTEMPTS || this.#attempts.size >= MAX_IMAGES) return undefined;
    this.#attempts.set(image, attempt);
    return backoffDelay(this.#retry, attempt - 1);
  }
}
