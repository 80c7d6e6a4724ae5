import { HEAD_BYTES } from '../catalogers/cataloger.ts';
import { type FilePart, FileParts } from '../catalogers/file-parts.ts';
import type { TarBody } from './tar-reader.ts';

/** Keeps the parts of a passing file that are asked for once its head has been seen, and nothing else. */
export class BodyKeeper implements TarBody {
  readonly #size: number;
  readonly #head: Buffer;
  readonly #plan: (head: Buffer) => readonly FilePart[] | undefined;
  readonly #done: (file: FileParts | undefined) => void;
  #pieces: readonly { start: number; bytes: Buffer }[] | undefined;
  #isPlanned = false;
  #position = 0;

  /** `plan` says which parts to keep, or undefined for none at all; `done` gets them, with the head. */
  constructor(
    size: number,
    plan: (head: Buffer) => readonly FilePart[] | undefined,
    done: (file: FileParts | undefined) => void,
  ) {
    this.#size = size;
    this.#head = Buffer.alloc(Math.min(size, HEAD_BYTES));
    this.#plan = plan;
    this.#done = done;
  }

  write(chunk: Buffer): void {
    const taken = chunk.copy(this.#head, Math.min(this.#position, this.#head.length));
    this.#position += taken;
    if (this.#position < this.#head.length) return;
    this.#keepParts();
    this.#fill(chunk.subarray(taken));
  }

  end(): void {
    this.#keepParts();
    this.#done(this.#pieces && new FileParts(this.#size, this.#pieces));
  }

  #keepParts(): void {
    if (this.#isPlanned) return;
    this.#isPlanned = true;
    const parts = this.#plan(this.#head);
    const pieces = parts?.map(({ start, length }) => ({ start, bytes: Buffer.alloc(length) }));
    this.#position = 0;
    this.#pieces = pieces;
    this.#fill(this.#head);
    this.#pieces = pieces && [...pieces, { start: 0, bytes: this.#head }];
  }

  #fill(bytes: Buffer): void {
    const begin = this.#position;
    this.#position += bytes.length;
    for (const piece of this.#pieces ?? []) {
      const from = Math.max(begin, piece.start);
      const to = Math.min(this.#position, piece.start + piece.bytes.length);
      if (from < to) bytes.copy(piece.bytes, from - piece.start, from - begin, to - begin);
    }
  }
}
