import { inflateRawSync } from 'node:zlib';
import { EvidenceFault } from './cataloger.ts';
import { FileParts } from './file-parts.ts';
import { dataStart, findDirectory, readEntries, type ZipEntry } from './zip-directory.ts';

/** The bundle of a cloud's whole SDK has 130,000 files, which take 19 MB to list. */
const MAX_DIRECTORY_BYTES = 64 * 1024 ** 2;
/** A large server has 1,500 libraries, of which an archive reads two or three files each. */
const MAX_OPENED = 20_000;
/** Packed archives in packed archives count at every level: this is four times what an archive itself may have. */
const MAX_UNPACKED_BYTES = 1024 ** 3;
/** Deflate gets to 1,032 at best. Programs are packed to a half, and lists of checksums to a tenth. */
const MAX_RATIO = 200;
/** Small files may be as repetitive as they like. */
const ANY_RATIO_BYTES = 1024 ** 2;

const STORED = 0;
const DEFLATED = 8;

/** A bound was hit: what is left of the archive is not read. */
export class BudgetFault extends Error {}

/** What reading one archive, with all that are in it, may cost. Nothing that an archive says of itself counts. */
export class ZipBudget {
  #directoryBytes = MAX_DIRECTORY_BYTES;
  #opened = MAX_OPENED;
  #unpackedBytes = MAX_UNPACKED_BYTES;

  /** The entries whose names are wanted. Throws EvidenceFault and BudgetFault. */
  entriesOf(file: FileParts, isWanted: (name: string) => boolean): readonly ZipEntry[] {
    const directory = findDirectory(file);
    this.#directoryBytes -= directory.length;
    if (this.#directoryBytes < 0) throw new BudgetFault('the archive lists too many files');
    const wanted = readEntries(file, directory).filter(({ name }) => isWanted(name));
    // One more than can be opened, so that the lack shows.
    return [...wanted.take(this.#opened + 1)];
  }

  /**
   * An entry as a file: one that is stored is read where it lies, one that is deflated is unpacked into memory, where it
   * may take `most` bytes. Throws EvidenceFault and BudgetFault.
   */
  open(file: FileParts, entry: ZipEntry, { most, hint = '' }: { most: number; hint?: string }): OpenedEntry {
    this.#opened -= 1;
    if (this.#opened < 0) throw new BudgetFault('the archive has too many files to read');
    if (entry.isEncrypted) throw new EvidenceFault('a file in the archive is encrypted');
    const start = dataStart(file, entry);
    if (entry.method === STORED) return { file: part(file, start, entry.packedSize, hint), memory: 0 };
    if (entry.method !== DEFLATED) {
      throw new EvidenceFault(`a file in the archive is packed by method ${entry.method}, which Java lacks`);
    }
    this.#spend(entry.packedSize, most);
    const bytes = this.#inflate(file.read(start, entry.packedSize), entry.size, most);
    return { file: new FileParts(bytes.length, [{ start: 0, bytes }], { hint }), memory: bytes.length };
  }

  /** All bytes of an entry. Throws EvidenceFault and BudgetFault. */
  read(file: FileParts, entry: ZipEntry, most: number): Buffer {
    const opened = this.open(file, entry, { most });
    if (opened.memory === 0) this.#spend(opened.file.size, most);
    return opened.file.read(0, opened.file.size);
  }

  #spend(bytes: number, most: number): void {
    if (bytes > most) throw new BudgetFault('a file in the archive is too large');
    this.#unpackedBytes -= bytes;
    if (this.#unpackedBytes < 0) throw new BudgetFault('the archive unpacks to too many bytes');
  }

  #inflate(packed: Buffer, size: number, most: number): Buffer {
    const ratio = Math.max(ANY_RATIO_BYTES, packed.length * MAX_RATIO);
    const maxOutputLength = Math.max(1, Math.min(most, this.#unpackedBytes, ratio));
    // Unpacked at once if the size is true, instead of in pieces that are copied together.
    const chunkSize = Math.min(Math.max(size, 64), maxOutputLength) + 64;
    // Paid in advance, since what fails in the end has taken as long.
    this.#unpackedBytes -= maxOutputLength;
    try {
      const bytes = inflateRawSync(packed, { maxOutputLength, chunkSize });
      this.#unpackedBytes += maxOutputLength - bytes.length;
      return bytes;
    } catch (error) {
      if (error instanceof RangeError)
        throw new BudgetFault('a file in the archive unpacks to too many bytes');
      throw new EvidenceFault('a file in the archive cannot be unpacked');
    }
  }
}

export interface OpenedEntry {
  readonly file: FileParts;
  /** The bytes of memory that it holds on to. */
  readonly memory: number;
}

function part(file: FileParts, start: number, length: number, hint: string): FileParts {
  return new FileParts(length, [], {
    hint,
    fetch: (each) => file.read(start + each.start, each.length),
  });
}
