import { EvidenceFault } from './cataloger.ts';
import { PageFile } from './page-file.ts';
import { readColumns, readVarint, toInteger } from './sqlite-record.ts';

const MAGIC = 'SQLite format 3\0';
const HEADER = { pageBytes: 16, reserved: 20, length: 100 } as const;
/** Of the page of a table: an inner one leads to others, a leaf has rows. */
const INNER_PAGE = 5;
const LEAF_PAGE = 13;
const PAGE = { cells: 3, rightmost: 8, leafLength: 8, innerLength: 12 } as const;
const MIN_PAGE_BYTES = 512;
/** The format's own. */
const MIN_USABLE_BYTES = 480;
const SCHEMA_ROOT = 1;
const SCHEMA_COLUMNS = 4;
/** RPM's own databases have twenty tables, each with an index or two. */
const MAX_SCHEMA_ROWS = 1000;

export function isSqlite(bytes: Buffer): boolean {
  return bytes.toString('latin1', 0, MAGIC.length) === MAGIC;
}

/** What of a row's record lies on its page, and where the rest begins. */
interface Cell {
  readonly local: Buffer;
  readonly length: number;
  readonly next: number;
}

/**
 * The tables of an SQLite file, read without SQLite, https://www.sqlite.org/fileformat2.html. What a write-ahead log
 * beside it holds is not seen: whoever closes the database last puts that into the file. Throws EvidenceFault.
 */
export class SqliteFile {
  readonly #pages: PageFile;
  readonly #usable: number;
  readonly #maxRecord: number;

  constructor(bytes: Buffer, { maxRecord }: { readonly maxRecord: number }) {
    if (!isSqlite(bytes) || bytes.length < HEADER.length)
      throw new EvidenceFault('the file is not of SQLite');
    const stated = bytes.readUInt16BE(HEADER.pageBytes);
    // The largest does not fit into its two bytes.
    const pageBytes = stated === 1 ? 65_536 : stated;
    this.#usable = pageBytes - bytes.readUInt8(HEADER.reserved);
    if (pageBytes < MIN_PAGE_BYTES || this.#usable < MIN_USABLE_BYTES) {
      throw new EvidenceFault('the file is not of SQLite');
    }
    this.#pages = new PageFile(bytes, pageBytes);
    this.#maxRecord = maxRecord;
  }

  /** The records of a table, undefined for each row or page that cannot be read. Throws if there is no such table. */
  *records(table: string): Generator<Buffer | undefined> {
    let rows = 0;
    for (const record of this.#walk(SCHEMA_ROOT)) {
      if (++rows > MAX_SCHEMA_ROWS) break;
      const [type, name, , root] = (record && readColumns(record, SCHEMA_COLUMNS)) ?? [];
      const page = toInteger(root);
      if (type?.toString() !== 'table' || name?.toString() !== table || page === undefined) continue;
      return yield* this.#walk(page);
    }
    throw new EvidenceFault('the database lacks the table');
  }

  *#walk(root: number): Generator<Buffer | undefined> {
    const left: { number: number; page: Buffer }[] = [];
    // A page is taken before it waits, so that no more wait than there are.
    const plan = (number: number): boolean => {
      const page = this.#take(number);
      if (page) left.push({ number, page });
      return page !== undefined;
    };
    if (!plan(root)) yield undefined;
    for (let visit = left.pop(); visit; visit = left.pop()) {
      const { number, page } = visit;
      // The header of the file stands on its first page.
      const start = number === 1 ? HEADER.length : 0;
      if (page[start] === LEAF_PAGE) {
        yield* this.#rowsOn(page, start);
      } else if (page[start] === INNER_PAGE) {
        for (const child of childrenOf(page, start)) if (!plan(child)) yield undefined;
      } else {
        yield undefined;
      }
    }
  }

  *#rowsOn(page: Buffer, start: number): Generator<Buffer | undefined> {
    // Cells share no bytes with each other; whatever a damaged page says, no more than all of its own are looked at.
    let left = page.length;
    for (const at of cellsOf(page, start, PAGE.leafLength)) {
      const cell = this.#cellAt(page, at);
      left -= cell?.local.length ?? 0;
      yield cell && left >= 0 ? this.#recordOf(cell) : undefined;
    }
  }

  #cellAt(page: Buffer, at: number): Cell | undefined {
    const length = readVarint(page, at);
    const row = length && readVarint(page, length.end);
    if (!length || !row || length.value > this.#maxRecord) return undefined;
    const localBytes = this.#localBytes(length.value);
    const end = row.end + localBytes;
    const hasMore = localBytes < length.value;
    if (end + (hasMore ? 4 : 0) > page.length) return undefined;
    const local = page.subarray(row.end, end);
    return { local, length: length.value, next: hasMore ? page.readUInt32BE(end) : 0 };
  }

  /** How much of a record is on its page: the rest fills further pages as well as it can. */
  #localBytes(length: number): number {
    const most = this.#usable - 35;
    if (length <= most) return length;
    const least = Math.floor(((this.#usable - 12) * 32) / 255) - 23;
    const fitting = least + ((length - least) % (this.#usable - 4));
    return fitting <= most ? fitting : least;
  }

  #recordOf({ local, length, next }: Cell): Buffer | undefined {
    const pieces = [local];
    let left = length - local.length;
    for (let number = next; left > 0; ) {
      const page = this.#take(number);
      if (page === undefined) return undefined;
      const piece = page.subarray(4, Math.min(this.#usable, 4 + left));
      pieces.push(piece);
      left -= piece.length;
      number = page.readUInt32BE(0);
    }
    return pieces.length === 1 ? local : Buffer.concat(pieces);
  }

  /** Pages are counted from 1. */
  #take(number: number): Buffer | undefined {
    return this.#pages.take(number - 1);
  }
}

function* childrenOf(page: Buffer, start: number): Generator<number> {
  for (const at of cellsOf(page, start, PAGE.innerLength)) {
    // 0 is no page.
    yield at + 4 <= page.length ? page.readUInt32BE(at) : 0;
  }
  yield page.readUInt32BE(start + PAGE.rightmost);
}

/** Where the cells of a page are. */
function* cellsOf(page: Buffer, start: number, headerBytes: number): Generator<number> {
  const count = page.readUInt16BE(start + PAGE.cells);
  for (let index = 0; index < count; index++) {
    const at = start + headerBytes + 2 * index;
    // What lies beyond the page is no cell, and is reported as one that cannot be read.
    yield at + 2 <= page.length ? page.readUInt16BE(at) : page.length;
    if (at + 2 > page.length) return;
  }
}
