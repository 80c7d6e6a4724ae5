import { ArchiveFault } from './archive-fault.ts';
import { nothingPending, type Pending, specialHeaders, type TarEntry, toEntry } from './tar-entry.ts';
import { BLOCK_BYTES, parseTarHeader, type TarHeader } from './tar-header.ts';

/** What takes the body of an entry, piece by piece. */
export interface TarBody {
  write(chunk: Buffer): void;
  end(): void;
}

/** Go's archive/tar refuses longer PAX headers and GNU long names too, so no image can have them. */
const MAX_SPECIAL_BYTES = 1024 * 1024;

const ZERO_BLOCK = Buffer.alloc(BLOCK_BYTES);

/**
 * Reads a tar archive that is written to it in pieces. It follows Go's archive/tar where popular readers do not, since
 * that is what runtimes unpack with: nothing counts after two blocks of zeros, global PAX records never apply to an
 * entry, a GNU long name wins over a PAX path, and links and folders have no body whatever their size says.
 * Throws ArchiveFault.
 */
export class TarReader {
  readonly #onEntry: (entry: TarEntry) => TarBody | undefined;
  readonly #block = Buffer.alloc(BLOCK_BYTES);
  #filled = 0;
  #position = 0;
  #body: TarBody | undefined;
  #bodyLeft = 0;
  #paddingLeft = 0;
  #zeroBlocks = 0;
  #pending = nothingPending();

  constructor(onEntry: (entry: TarEntry) => TarBody | undefined) {
    this.#onEntry = onEntry;
  }

  /** Bytes from here on that have no effect, so that one who can seek may leave them out with `skip`. */
  get skippable(): number {
    return this.#body ? 0 : this.#bodyLeft + this.#paddingLeft;
  }

  get ended(): boolean {
    return this.#zeroBlocks === 2;
  }

  skip(): void {
    this.#position += this.skippable;
    this.#bodyLeft = 0;
    this.#paddingLeft = 0;
  }

  write(chunk: Buffer): void {
    let at = 0;
    while (at < chunk.length && !this.ended) at += this.#take(chunk.subarray(at));
  }

  /** To be called after the last piece. An archive may end without the blocks of zeros, but not inside an entry. */
  end(): void {
    if (this.#bodyLeft > 0 || (this.#filled > 0 && !this.ended))
      throw new ArchiveFault('an end inside an entry');
  }

  #take(chunk: Buffer): number {
    const taken = this.#bodyLeft > 0 ? this.#takeBody(chunk) : this.#takeBlock(chunk);
    this.#position += taken;
    if (this.#filled === BLOCK_BYTES) {
      this.#filled = 0;
      this.#readBlock();
    }
    return taken;
  }

  #takeBody(chunk: Buffer): number {
    const taken = Math.min(chunk.length, this.#bodyLeft);
    this.#body?.write(taken === chunk.length ? chunk : chunk.subarray(0, taken));
    this.#bodyLeft -= taken;
    if (this.#bodyLeft === 0) this.#endBody();
    return taken;
  }

  #takeBlock(chunk: Buffer): number {
    if (this.#paddingLeft > 0) {
      const skipped = Math.min(chunk.length, this.#paddingLeft);
      this.#paddingLeft -= skipped;
      return skipped;
    }
    const taken = chunk.copy(this.#block, this.#filled, 0, BLOCK_BYTES - this.#filled);
    this.#filled += taken;
    return taken;
  }

  #endBody(): void {
    const body = this.#body;
    this.#body = undefined;
    body?.end();
  }

  #readBlock(): void {
    if (this.#block.equals(ZERO_BLOCK)) {
      this.#zeroBlocks += 1;
      return;
    }
    if (this.#zeroBlocks > 0) throw new ArchiveFault('an entry after a block of zeros');
    const header = parseTarHeader(this.#block);
    const special = specialHeaders[header.typeflag];
    if (special) {
      this.#collect(header.size, special);
    } else {
      this.#beginEntry(header);
    }
  }

  #collect(size: number, apply: (pending: Pending, bytes: Buffer) => Pending): void {
    if (size < 0 || size > MAX_SPECIAL_BYTES) throw new ArchiveFault(`an extended header of ${size} bytes`);
    const pieces: Buffer[] = [];
    const end = (): void => {
      this.#pending = apply(this.#pending, Buffer.concat(pieces));
    };
    this.#beginBody(size, { write: (chunk) => pieces.push(chunk), end });
  }

  #beginEntry(header: TarHeader): void {
    const pending = this.#pending;
    this.#pending = nothingPending();
    const entry = toEntry(header, pending, this.#position);
    this.#beginBody(entry.bodySize, this.#onEntry(entry));
  }

  #beginBody(size: number, body: TarBody | undefined): void {
    this.#body = body;
    this.#bodyLeft = size;
    this.#paddingLeft = -size & (BLOCK_BYTES - 1);
    if (size === 0) this.#endBody();
  }
}
