import { AROUND_BYTES, type FilePart, type Piece } from '../catalogers/file-parts.ts';

/** As much is looked at as stays in the caches of a processor: 126 MB on disk took 25 ms to read and search. */
const WINDOW_BYTES = 64 * 1024;
/** Programs have their texts in a few places; one that has them everywhere is looked at as a whole. */
const MAX_FOUND_BYTES = 8 * 1024 * 1024;

/** What was found so far around one text, or around several that are close to each other. */
interface Stretch {
  readonly start: number;
  end: number;
  /** Up to where its bytes were kept. */
  kept: number;
  readonly chunks: Buffer[];
}

/** Searches a part of a file that passes by for texts, and keeps AROUND_BYTES or more on either side of each. */
export class TextSearch {
  readonly #part: FilePart;
  readonly #texts: readonly Buffer[];
  /** A text can begin in so many bytes and end in later ones. */
  readonly #shared: number;
  readonly #window = Buffer.allocUnsafeSlow(WINDOW_BYTES);
  /** Where in the file the window begins, how much of it is filled, and where the next text may begin. */
  #start: number;
  #filled = 0;
  #next = 0;
  #stretches: Stretch[] = [];
  #foundBytes = 0;

  /** The texts are Latin-1, and short. */
  constructor(part: FilePart, texts: readonly string[]) {
    this.#part = part;
    this.#start = part.start;
    this.#texts = texts.map((text) => Buffer.from(text, 'latin1'));
    this.#shared = Math.max(...this.#texts.map(({ length }) => length)) - 1;
  }

  /** Takes the next bytes of the part. */
  write(chunk: Buffer): void {
    for (let at = 0; at < chunk.length; ) {
      const taken = chunk.copy(this.#window, this.#filled, at);
      at += taken;
      this.#filled += taken;
      if (this.#filled === WINDOW_BYTES) this.#search(WINDOW_BYTES - this.#shared);
    }
  }

  /** What was found, in the order of the file; undefined if it is too much. To be called after the last piece. */
  end(): readonly Piece[] | undefined {
    this.#search(this.#filled);
    if (this.#foundBytes > MAX_FOUND_BYTES) return undefined;
    return this.#stretches.map(({ start, chunks }) => ({ start, bytes: Buffer.concat(chunks) }));
  }

  /** Finds the texts that begin before a place in the window, and moves on. */
  #search(before: number): void {
    for (const hit of this.#hits(before)) this.#extend(this.#start + hit);
    this.#keep();
    const passed = Math.max(0, before - AROUND_BYTES);
    this.#window.copyWithin(0, passed, this.#filled);
    this.#start += passed;
    this.#filled -= passed;
    this.#next = before - passed;
  }

  /** Those that follow another one closely are left out: a file may have nothing else. */
  #hits(before: number): readonly number[] {
    const bytes = this.#window.subarray(0, this.#filled);
    const hits: number[] = [];
    for (const text of this.#texts) {
      let at = bytes.indexOf(text, this.#next);
      while (at !== -1 && at < before) {
        hits.push(at);
        at = bytes.indexOf(text, at + AROUND_BYTES);
      }
    }
    return hits.sort((a, b) => a - b);
  }

  /** Reaches twice as far ahead, for the texts that were left out. */
  #extend(hit: number): void {
    const start = Math.max(this.#part.start, hit - AROUND_BYTES);
    const end = Math.min(this.#part.start + this.#part.length, hit + this.#shared + 1 + 2 * AROUND_BYTES);
    const last = this.#stretches.at(-1);
    if (last && start <= last.end) last.end = Math.max(last.end, end);
    else this.#stretches.push({ start, end, kept: start, chunks: [] });
  }

  #keep(): void {
    const windowEnd = this.#start + this.#filled;
    for (let index = this.#stretches.length - 1; index >= 0; index--) {
      const stretch = this.#stretches[index];
      if (stretch === undefined || stretch.kept === stretch.end) break;
      const end = Math.min(stretch.end, windowEnd);
      const bytes = this.#window.subarray(stretch.kept - this.#start, end - this.#start);
      stretch.kept = end;
      this.#foundBytes += bytes.length;
      if (this.#foundBytes <= MAX_FOUND_BYTES) stretch.chunks.push(Buffer.from(bytes));
    }
  }
}
