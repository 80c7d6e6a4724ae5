import { createHash } from 'node:crypto';
import { AdvisoryError } from '../errors.ts';
import { type Advisory, parseAdvisory } from '../osv.ts';
import { parseJson } from './json.ts';
import type { FeedFile } from './source.ts';
import { readZipRecords } from './zip-records.ts';

export interface FeedRecord {
  /** The name of the file in the archive. */
  readonly name: string;
  /** SHA-256 of the file in hex: as long as it stays the same, so does the advisory. */
  readonly hash: string;
  readonly bytes: Buffer;
  readonly advisory: Advisory;
}

/** A feed that is broken throughout is told by its first records; the rest are only counted. */
const MAX_KEPT_PROBLEMS = 100;

/**
 * One pass over the records of a feed, in the order of the archive, with figures that grow as it goes on. A record that
 * is not usable is skipped, so that one mistake of a publisher does not keep all other advisories away.
 */
export class FeedReading implements AsyncIterable<FeedRecord> {
  readonly #file: FeedFile;
  readonly #startedAt = new Date().toISOString();
  #newestModified: string | undefined;
  #recordCount = 0;
  #skippedCount = 0;
  readonly #problems: AdvisoryError[] = [];

  constructor(file: FeedFile) {
    this.#file = file;
  }

  /**
   * What the feed knows up to: the newest `modified` so far, or the date of the file as long as there is none. The
   * records say it themselves, so it is the same for every copy of the feed, however and whenever it was copied. Times
   * in the future are the typing errors of publishers and do not count.
   */
  get asOf(): string {
    return this.#newestModified ?? this.#file.date;
  }

  /** How many usable records were read so far. */
  get recordCount(): number {
    return this.#recordCount;
  }

  get skippedCount(): number {
    return this.#skippedCount;
  }

  /** Why records were skipped: the first hundred reasons. */
  get problems(): readonly AdvisoryError[] {
    return this.#problems;
  }

  async *[Symbol.asyncIterator](): AsyncGenerator<FeedRecord> {
    for await (const { name, bytes } of readZipRecords(this.#file, (error) => this.#skip(error))) {
      const advisory = this.#parse(name, bytes);
      if (advisory === undefined) continue;
      this.#recordCount++;
      this.#noteModified(advisory.modified);
      yield { name, hash: createHash('sha256').update(bytes).digest('hex'), bytes, advisory };
    }
  }

  #parse(name: string, bytes: Buffer): Advisory | undefined {
    try {
      return parseAdvisory(parseJson(bytes));
    } catch (error) {
      this.#skip(this.#problemOf(name, error));
      return undefined;
    }
  }

  /** What the parser complains of, with the file that it stands in. */
  #problemOf(name: string, error: unknown): AdvisoryError {
    const code = error instanceof AdvisoryError ? error.code : 'record_invalid';
    return new AdvisoryError(code, `${name} in ${this.#file.name} is not usable`, { cause: error });
  }

  #skip(problem: AdvisoryError): void {
    this.#skippedCount++;
    if (this.#problems.length < MAX_KEPT_PROBLEMS) this.#problems.push(problem);
  }

  #noteModified(modified: string): void {
    if (modified > this.#startedAt) return;
    if (this.#newestModified === undefined || modified > this.#newestModified) {
      this.#newestModified = modified;
    }
  }
}
