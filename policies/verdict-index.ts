import { LRUCache } from 'lru-cache';
import { aliasKey } from './reference.ts';

/** An image that the core has a verdict of. */
export interface KnownImage {
  /** The digest of the image's configuration. */
  readonly digest: string;
  /** All other names of the image, as the core has them. */
  readonly aliases: readonly string[];
  /** The verdict as JSON, in the form of VerdictSchema: it goes into policies as it is, so it is kept unparsed. */
  readonly verdict: string;
}

/** Where decisions find verdicts. */
export interface VerdictSource {
  /** The images that a reference names: more than one where a tag or an index stands for several platforms. */
  find(key: string): readonly KnownImage[];
  /** When all that the source says was last known to be current, in milliseconds since 1970. */
  readonly confirmedAt: number;
}

/** What an entry costs besides its texts: map slots, the array of aliases, object headers. */
const ENTRY_OVERHEAD_BYTES = 400;

/** Verdicts in memory, by each name of their images, bounded by bytes; the least recently used go first. */
export class VerdictIndex implements VerdictSource {
  confirmedAt = 0;
  readonly #images: LRUCache<string, KnownImage>;
  /** Alias key to the digests of its images; a plain string in the usual case of one. */
  readonly #digests = new Map<string, string | readonly string[]>();
  #evicted = 0;

  constructor(maxBytes: number) {
    this.#images = new LRUCache({
      maxSize: maxBytes,
      sizeCalculation: sizeOf,
      dispose: (image, _digest, reason) => {
        this.#forgetAliases(image);
        if (reason === 'evict') this.#evicted++;
      },
    });
  }

  /** How many images there are. */
  get size(): number {
    return this.#images.size;
  }

  /** How many bytes they take, as estimated. */
  get bytes(): number {
    return this.#images.calculatedSize;
  }

  /** How many verdicts had to go for want of room: each of them is unknown to decisions from then on. */
  get evicted(): number {
    return this.#evicted;
  }

  set(image: KnownImage): void {
    this.#images.set(image.digest, image);
    for (const key of keysOf(image)) {
      const others = this.#digestsOf(key).filter((digest) => digest !== image.digest);
      this.#digests.set(key, others.length === 0 ? image.digest : [...others, image.digest]);
    }
  }

  delete(digest: string): void {
    this.#images.delete(digest);
  }

  clear(): void {
    this.#images.clear();
    this.#digests.clear();
  }

  find(key: string): readonly KnownImage[] {
    return this.#digestsOf(key).flatMap((digest) => this.#images.get(digest) ?? []);
  }

  /** All images, from the least to the most recently used. */
  *images(): Generator<KnownImage, void, undefined> {
    for (const image of this.#images.rvalues()) if (image) yield image;
  }

  #digestsOf(key: string): readonly string[] {
    const found = this.#digests.get(key);
    if (found === undefined) return [];
    return typeof found === 'string' ? [found] : found;
  }

  #forgetAliases(image: KnownImage): void {
    for (const key of keysOf(image)) {
      const others = this.#digestsOf(key).filter((digest) => digest !== image.digest);
      if (others.length === 0) this.#digests.delete(key);
      else this.#digests.set(key, others);
    }
  }
}

function keysOf(image: KnownImage): Set<string> {
  const keys = image.aliases.flatMap((alias) => aliasKey(alias) ?? []);
  return new Set([image.digest, ...keys]);
}

function sizeOf(image: KnownImage): number {
  const aliases = image.aliases.reduce((total, alias) => total + 2 * alias.length, 0);
  return ENTRY_OVERHEAD_BYTES + image.verdict.length + aliases;
}
