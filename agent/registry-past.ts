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
  /** When (by performance.now) registries are asked again. */
  readonly #away = new Map<string, number>();

  constructor(retry: Backoff = RETRY_BACKOFF) {
    this.#retry = retry;
  }

  /** Whether the registry did not answer a moment ago. */
  isAway(host: string): boolean {
    return (this.#away.get(host) ?? 0) > performance.now();
  }

  noteAway(host: string): void {
    if (this.isAway(host)) return;
    if (this.#away.size >= MAX_HOSTS) this.#away.clear();
    // No image is tried again sooner.
    this.#away.set(host, performance.now() + this.#retry.first / 2);
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
