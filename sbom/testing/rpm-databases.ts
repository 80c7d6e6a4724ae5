import { DatabaseSync } from 'node:sqlite';

/** A database of RPM in the form of SQLite, made by SQLite itself. */
export function sqliteOf(rows: readonly Buffer[], { pageBytes = 4096 } = {}): Buffer {
  using database = new DatabaseSync(':memory:');
  database.exec(`PRAGMA page_size = ${pageBytes}`);
  database.exec('CREATE TABLE Other (key INTEGER)');
  database.exec('CREATE TABLE Packages (hnum INTEGER PRIMARY KEY AUTOINCREMENT, blob BLOB NOT NULL)');
  database.exec("CREATE INDEX 'Packages_blob' ON Packages(hnum)");
  const insert = database.prepare('INSERT INTO Packages (blob) VALUES (?)');
  for (const row of rows) insert.run(row);
  return Buffer.from(database.serialize());
}

/** The same in the form that is RPM's own. The first slots and the last are free. */
export function ndbOf(rows: readonly Buffer[]): Buffer {
  const slotPages = 1 + Math.ceil((rows.length * 16) / 4096);
  const header = Buffer.alloc(slotPages * 4096);
  header.write('RpmP');
  header.writeUInt32LE(slotPages, 12);
  for (let at = 32; at < header.length; at += 16) header.write('Slot', at);
  const blobs: Buffer[] = [];
  let offset = header.length;
  for (const [index, row] of rows.entries()) {
    const blob = ndbBlob(row, index + 1);
    const slot = header.subarray(64 + 16 * index);
    slot.writeUInt32LE(index + 1, 4);
    slot.writeUInt32LE(offset / 16, 8);
    slot.writeUInt32LE(blob.length / 16, 12);
    blobs.push(blob);
    offset += blob.length;
  }
  return Buffer.concat([header, ...blobs]);
}

function ndbBlob(row: Buffer, number: number): Buffer {
  const blob = Buffer.alloc(Math.ceil((16 + row.length + 12) / 16) * 16);
  blob.write('BlbS');
  blob.writeUInt32LE(number, 4);
  blob.writeUInt32LE(row.length, 12);
  row.copy(blob, 16);
  blob.writeUInt32LE(row.length, blob.length - 8);
  blob.write('BlbE', blob.length - 4);
  return blob;
}

interface BdbOptions {
  readonly pageBytes?: number;
  readonly isBigEndian?: boolean;
}

/**
 * The same as a hash of Berkeley DB: a bucket of one page for each row, whatever its number hashes to, since only the
 * whole is ever read; then the pages of the rows that are too large for theirs.
 */
export function bdbOf(
  rows: readonly Buffer[],
  { pageBytes = 4096, isBigEndian = false }: BdbOptions = {},
): Buffer {
  const numbers = new NumberWriter(isBigEndian);
  const buckets: Buffer[] = [
    bdbPage(numbers, pageBytes, [numbers.keyOf(0), numbers.inline(numbers.long(rows.length))]),
  ];
  const overflow: Buffer[] = [];
  for (const [index, row] of rows.entries()) {
    const first = 2 + rows.length + overflow.length;
    const isSmall = row.length < pageBytes / 4;
    if (!isSmall) overflow.push(...overflowPages(numbers, pageBytes, { row, first }));
    const value = isSmall ? numbers.inline(row) : numbers.elsewhere(first, row.length);
    buckets.push(bdbPage(numbers, pageBytes, [numbers.keyOf(index + 1), value]));
  }
  const pages = [bdbMeta(numbers, pageBytes, { buckets: buckets.length, overflow: overflow.length })];
  pages.push(...buckets, ...overflow);
  for (const [number, page] of pages.entries()) numbers.long(number).copy(page, 8);
  return Buffer.concat(pages);
}

function bdbMeta(
  numbers: NumberWriter,
  pageBytes: number,
  { buckets, overflow }: { readonly buckets: number; readonly overflow: number },
): Buffer {
  const page = Buffer.alloc(pageBytes);
  const highMask = 2 ** Math.ceil(Math.log2(buckets)) - 1;
  const fields = {
    12: 0x61561,
    16: 9,
    20: pageBytes,
    32: buckets + overflow,
    40: buckets,
    44: buckets,
    72: buckets - 1,
    76: highMask,
    80: highMask >> 1,
    88: buckets,
  };
  for (const [at, value] of Object.entries(fields)) numbers.long(value).copy(page, Number(at));
  page[25] = 8;
  // Every bucket follows the one before.
  for (let at = 96; at < 96 + 4 * 32; at += 4) numbers.long(1).copy(page, at);
  return page;
}

function bdbPage(numbers: NumberWriter, pageBytes: number, items: readonly Buffer[]): Buffer {
  const page = Buffer.alloc(pageBytes);
  numbers.short(items.length).copy(page, 20);
  page[25] = 13;
  let start = pageBytes;
  for (const [index, item] of items.entries()) {
    start -= item.length;
    item.copy(page, start);
    numbers.short(start).copy(page, 26 + 2 * index);
  }
  numbers.short(start).copy(page, 22);
  return page;
}

function overflowPages(
  numbers: NumberWriter,
  pageBytes: number,
  { row, first }: { readonly row: Buffer; readonly first: number },
): Buffer[] {
  const room = pageBytes - 26;
  return Array.from({ length: Math.ceil(row.length / room) }, (_, index) => {
    const page = Buffer.alloc(pageBytes);
    const used = row.copy(page, 26, index * room, (index + 1) * room);
    if ((index + 1) * room < row.length) numbers.long(first + index + 1).copy(page, 16);
    numbers.short(1).copy(page, 20);
    numbers.short(used).copy(page, 22);
    page[25] = 7;
    return page;
  });
}

class NumberWriter {
  readonly #isBigEndian: boolean;

  constructor(isBigEndian: boolean) {
    this.#isBigEndian = isBigEndian;
  }

  short(value: number): Buffer {
    const bytes = Buffer.alloc(2);
    if (this.#isBigEndian) bytes.writeUInt16BE(value);
    else bytes.writeUInt16LE(value);
    return bytes;
  }

  long(value: number): Buffer {
    const bytes = Buffer.alloc(4);
    if (this.#isBigEndian) bytes.writeUInt32BE(value);
    else bytes.writeUInt32LE(value);
    return bytes;
  }

  keyOf(row: number): Buffer {
    return this.inline(this.long(row));
  }

  inline(bytes: Buffer): Buffer {
    return Buffer.concat([Buffer.from([1]), bytes]);
  }

  elsewhere(page: number, length: number): Buffer {
    return Buffer.concat([Buffer.from([3, 0, 0, 0]), this.long(page), this.long(length)]);
  }
}
