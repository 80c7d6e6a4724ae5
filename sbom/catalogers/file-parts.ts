/** A stretch of a file. */
export interface FilePart {
  readonly start: number;
  readonly length: number;
}

/** A part with its content. */
export interface Piece {
  readonly start: number;
  readonly bytes: Buffer;
}

/** Thrown where a part is read that is not there, though the file has it. */
export class OutsideParts extends Error {}

/**
 * A file of which some parts are in memory, so that it can come out of a stream as well as from a disk. On a disk the
 * others are fetched when they are asked for.
 */
export class FileParts {
  readonly size: number;
  /** What of the file's path its cataloger minds; see `Cataloger.hint`. */
  readonly hint: string;
  /** What is in memory. */
  readonly pieces: readonly Piece[];
  readonly #fetch: ((part: FilePart) => Buffer) | undefined;

  constructor(
    size: number,
    pieces: readonly Piece[],
    { hint = '', fetch }: { readonly hint?: string; readonly fetch?: (part: FilePart) => Buffer } = {},
  ) {
    this.size = size;
    this.hint = hint;
    this.pieces = pieces;
    this.#fetch = fetch;
  }

  /** The same file under another name. */
  withHint(hint: string): FileParts {
    return new FileParts(this.size, this.pieces, this.#fetch ? { hint, fetch: this.#fetch } : { hint });
  }

  /** The same file, of which other parts can be had. */
  withFetch(fetch: (part: FilePart) => Buffer): FileParts {
    return new FileParts(this.size, this.pieces, { hint: this.hint, fetch });
  }

  /** How many bytes are in memory. */
  get keptBytes(): number {
    return this.pieces.reduce((sum, { bytes }) => sum + bytes.length, 0);
  }

  /** Fewer bytes than asked for only at the end of the file. Throws OutsideParts. */
  read(start: number, length: number): Buffer {
    const end = Math.min(this.size, start + length);
    if (end <= start) return Buffer.alloc(0);
    const piece = this.pieces.find((each) => each.start <= start && end <= each.start + each.bytes.length);
    if (piece) return piece.bytes.subarray(start - piece.start, end - piece.start);
    if (this.#fetch) return this.#fetch({ start, length: end - start });
    throw new OutsideParts(`bytes ${start} to ${end} are not there`);
  }
}
