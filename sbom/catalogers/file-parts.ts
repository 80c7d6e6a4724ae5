/** A stretch of a file. */
export interface FilePart {
  readonly start: number;
  readonly length: number;
}

interface Piece {
  readonly start: number;
  readonly bytes: Buffer;
}

/** Thrown where a part is read that is not there, though the file has it. */
export class OutsideParts extends Error {}

/** A file of which some parts are in memory, so that it can come out of a stream as well as from a disk. */
export class FileParts {
  readonly size: number;
  readonly #pieces: readonly Piece[];

  constructor(size: number, pieces: readonly Piece[]) {
    this.size = size;
    this.#pieces = pieces;
  }

  /** Fewer bytes than asked for only at the end of the file. Throws OutsideParts. */
  read(start: number, length: number): Buffer {
    const end = Math.min(this.size, start + length);
    if (end <= start) return Buffer.alloc(0);
    const piece = this.#pieces.find((each) => each.start <= start && end <= each.start + each.bytes.length);
    if (piece === undefined) throw new OutsideParts(`bytes ${start} to ${end} are not there`);
    return piece.bytes.subarray(start - piece.start, end - piece.start);
  }
}
