/** A stretch of a file. */
export interface FilePart {
  readonly start: number;
  readonly length: number;
}

/** A part that is needed: the whole of it, or only what is around some texts in it. */
export interface WantedPart extends FilePart {
  /** Latin-1, none of them empty. */
  readonly around?: readonly string[] | undefined;
}

/** So much is kept on either side of a text that a part is searched for. */
export const AROUND_BYTES = 512;

/** A part with its content. */
export interface Piece {
  readonly start: number;
  readonly bytes: Buffer;
}

/** Thrown where a part is read that is not there, though the file has it. */
export class OutsideParts extends Error {
  /** All that has to be there instead; left out if only the whole file will do. */
  readonly needs: readonly FilePart[] | undefined;

  constructor(message: string, needs?: readonly FilePart[]) {
    super(message);
    this.needs = needs;
  }
}

interface FileOptions {
  readonly hint?: string;
  readonly searched?: readonly FilePart[];
  readonly fetch?: ((part: FilePart) => Buffer) | undefined;
}

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
  /** Parts of which all is in memory that is around the texts that they were searched for. */
  readonly searched: readonly FilePart[];
  readonly #fetch: ((part: FilePart) => Buffer) | undefined;

  constructor(size: number, pieces: readonly Piece[], { hint = '', searched = [], fetch }: FileOptions = {}) {
    this.size = size;
    this.hint = hint;
    this.pieces = pieces;
    this.searched = searched;
    this.#fetch = fetch;
  }

  /** The same file under another name. */
  withHint(hint: string): FileParts {
    return new FileParts(this.size, this.pieces, { hint, searched: this.searched, fetch: this.#fetch });
  }

  /** The same file, of which other parts can be had. */
  withFetch(fetch: (part: FilePart) => Buffer): FileParts {
    return new FileParts(this.size, this.pieces, { hint: this.hint, searched: this.searched, fetch });
  }

  /** How many bytes are in memory. */
  get keptBytes(): number {
    return this.pieces.reduce((sum, { bytes }) => sum + bytes.length, 0);
  }

  /** Whether all of a part can be read. */
  has({ start, length }: FilePart): boolean {
    return this.#fetch !== undefined || this.#pieceWith(start, start + length) !== undefined;
  }

  /** What was found in a part that was searched; undefined if it was not. */
  foundIn(part: FilePart): readonly Piece[] | undefined {
    if (!this.searched.some(({ start, length }) => start === part.start && length === part.length)) {
      return undefined;
    }
    const end = part.start + part.length;
    return this.pieces.filter(({ start, bytes }) => part.start <= start && start + bytes.length <= end);
  }

  /** Fewer bytes than asked for only at the end of the file. Throws OutsideParts. */
  read(start: number, length: number): Buffer {
    const end = Math.min(this.size, start + length);
    if (end <= start) return Buffer.alloc(0);
    const piece = this.#pieceWith(start, end);
    if (piece) return piece.bytes.subarray(start - piece.start, end - piece.start);
    if (this.#fetch) return this.#fetch({ start, length: end - start });
    throw new OutsideParts(`bytes ${start} to ${end} are not there`);
  }

  #pieceWith(start: number, end: number): Piece | undefined {
    return this.pieces.find((each) => each.start <= start && end <= each.start + each.bytes.length);
  }
}
