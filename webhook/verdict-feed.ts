import type { VerdictChange, VerdictFollower, VerdictPosition } from '@gatehouse/core-client';
import type { Log } from '@gatehouse/lib/log.ts';
import { type KnownImage, parseVerdict, type VerdictIndex } from '@gatehouse/policies';
import type { VerdictDisk } from './verdict-disk.ts';

/**
 * Takes the core's verdicts into the index and onto the disk. The webhook has verdicts once it caught up with the core,
 * or from the disk right away.
 */
export class VerdictFeed implements VerdictFollower {
  readonly #index: VerdictIndex;
  readonly #disk: VerdictDisk | undefined;
  readonly #log: Log;
  #position: VerdictPosition = { store: '', revision: 0 };
  /** What another store left behind: it serves until this store has said all it knows. */
  #leftover: Set<string> | undefined;
  #loaded = false;

  constructor(index: VerdictIndex, disk: VerdictDisk | undefined, log: Log) {
    this.#index = index;
    this.#disk = disk;
    this.#log = log;
  }

  /** Whether the index holds all verdicts as of some moment, so that "no verdict" means "unknown to the core". */
  get loaded(): boolean {
    return this.#loaded;
  }

  /** Fills the index from the disk. */
  async loadFromDisk(): Promise<void> {
    const began = Date.now();
    const journal = await this.#disk?.load((changes) => {
      for (const change of changes) this.#apply(change);
    });
    if (!journal) {
      this.#disk?.rewrite([], this.#position);
      return;
    }
    const { position, writtenAt, torn } = journal;
    this.#position = position;
    this.#index.confirmedAt = writtenAt;
    this.#loaded = position.store !== '';
    if (torn) this.#disk?.rewrite(this.#index.images(), position);
    this.#log.info(
      { verdicts: this.#index.size, ms: Date.now() - began, revision: position.revision },
      'verdicts loaded from disk',
    );
  }

  position(): VerdictPosition {
    return this.#position;
  }

  reset(store: string): void {
    if (this.#position.store !== '') {
      this.#log.warn({ store, before: this.#position.store }, 'the core has another store');
    }
    this.#leftover = new Set([...this.#index.images()].map((image) => image.digest));
    this.#position = { store, revision: 0 };
  }

  apply(changes: readonly VerdictChange[], position: VerdictPosition, caughtUp: boolean): void {
    for (const change of changes) {
      this.#leftover?.delete(change.image);
      this.#apply(change);
    }
    const moved = position.revision !== this.#position.revision;
    this.#position = position;
    if (caughtUp) this.#caughtUp();
    // Until all of a new store is there, the disk keeps the old one whole.
    if (moved && !this.#leftover)
      this.#disk?.append(changes, position, this.#index.images(), this.#index.size);
  }

  interrupted(): void {
    // Verdicts stay as they are; their age tells how long nobody has confirmed them.
  }

  #caughtUp(): void {
    this.#index.confirmedAt = Date.now();
    if (this.#leftover) {
      for (const digest of this.#leftover) this.#index.delete(digest);
      this.#leftover = undefined;
      this.#disk?.rewrite(this.#index.images(), this.#position);
    }
    if (!this.#loaded) this.#log.info({ verdicts: this.#index.size }, 'verdicts loaded from the core');
    this.#loaded = true;
  }

  #apply({ image, aliases, verdict }: VerdictChange): void {
    if (verdict === undefined) {
      this.#index.delete(image);
      return;
    }
    try {
      const known: KnownImage = {
        digest: image,
        aliases,
        verdict: JSON.stringify(parseVerdict(JSON.parse(verdict))),
      };
      this.#index.set(known);
    } catch (err) {
      // A core newer than this webhook may say what this one cannot read: the image is unknown rather than misjudged.
      this.#index.delete(image);
      this.#log.error({ err, image }, 'verdict not understood');
    }
  }
}
