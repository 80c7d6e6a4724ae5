import { EvidenceFault } from './cataloger.ts';
import { PageFile } from './page-file.ts';
import { MAX_HEADER_BYTES } from './rpm-limits.ts';

/** Bytes of Berkeley DB's dbinc/db_page.h: of the first page, of any page, and of an item that lies on others. */
const META = {
  magic: 12,
  pageBytes: 20,
  encryption: 24,
  type: 25,
  flags: 26,
  lastPage: 32,
  length: 72,
} as const;
const PAGE = { next: 16, entries: 20, used: 22, type: 25, length: 26 } as const;
const ELSEWHERE = { page: 4, bytes: 8, length: 12 } as const;

const HASH_MAGIC = 0x61561;
const HASH_META_PAGE = 8;
const CHECKSUMS = 1;
/** Until version 4.6, and since. */
const HASH_PAGES: ReadonlySet<number | undefined> = new Set([2, 13]);
const OVERFLOW_PAGE = 7;
const INLINE_ITEM = 1;
const ELSEWHERE_ITEM = 3;
/** Its kind, and the number of a row. */
const KEY_BYTES = 5;
const MIN_PAGE_BYTES = 512;
const MAX_PAGE_BYTES = 65_536;

/** The numbers are in the order of the machine that made the file. */
interface Numbers {
  short(bytes: Buffer, at: number): number;
  long(bytes: Buffer, at: number): number;
}
const littleEndian: Numbers = {
  short: (bytes, at) => bytes.readUInt16LE(at),
  long: (bytes, at) => bytes.readUInt32LE(at),
};
const bigEndian: Numbers = {
  short: (bytes, at) => bytes.readUInt16BE(at),
  long: (bytes, at) => bytes.readUInt32BE(at),
};

export function isBdb(bytes: Buffer): boolean {
  return numbersOf(bytes) !== undefined;
}

function numbersOf(bytes: Buffer): Numbers | undefined {
  if (bytes.length < META.length) return undefined;
  return [littleEndian, bigEndian].find((each) => each.long(bytes, META.magic) === HASH_MAGIC);
}

/**
 * The rows of a hash of Berkeley DB, as RPM had it until version 4.16; undefined for each that cannot be read. All pages
 * are gone through in turn, for which bucket a row is in tells nothing. Throws EvidenceFault if it is no such hash.
 */
export function* bdbRows(bytes: Buffer): Generator<Buffer | undefined> {
  const numbers = numbersOf(bytes);
  const pageBytes = numbers?.long(bytes, META.pageBytes) ?? 0;
  const isPlausible =
    pageBytes >= MIN_PAGE_BYTES && pageBytes <= MAX_PAGE_BYTES && Number.isInteger(Math.log2(pageBytes));
  if (!numbers || !isPlausible || bytes[META.type] !== HASH_META_PAGE) {
    throw new EvidenceFault('the file is no hash of Berkeley DB');
  }
  if (bytes[META.encryption] !== 0 || ((bytes[META.flags] ?? 0) & CHECKSUMS) !== 0) {
    throw new EvidenceFault('the database has checksums or is encrypted, which RPM never asks for');
  }
  const file = new PageFile(bytes, pageBytes);
  const lastPage = numbers.long(bytes, META.lastPage);
  for (let number = 1; number <= Math.min(lastPage, file.pages - 1); number++) {
    const page = file.at(number);
    if (page && HASH_PAGES.has(page[PAGE.type])) yield* rowsOnPage(file, page, numbers);
  }
  // As if one row had been on what was cut off.
  if (lastPage >= file.pages) yield undefined;
}

/** Keys and values in turn. A key is the number of a row; under 0 is the next number to be given. */
function* rowsOnPage(file: PageFile, page: Buffer, numbers: Numbers): Generator<Buffer | undefined> {
  const items = itemsOf(page, numbers);
  if (items === undefined) yield undefined;
  for (let index = 0; items && index < items.length; index += 2) {
    const [key, value] = [items[index], items[index + 1]];
    if (key?.[0] !== INLINE_ITEM || key.length !== KEY_BYTES || !value) yield undefined;
    else if (numbers.long(key, 1) !== 0) yield rowOf(file, value, numbers);
  }
}

/** They lie from the end of the page downwards, each up to the one before. */
function itemsOf(page: Buffer, numbers: Numbers): readonly Buffer[] | undefined {
  const items: Buffer[] = [];
  const tableEnd = PAGE.length + 2 * numbers.short(page, PAGE.entries);
  if (tableEnd > page.length) return undefined;
  let end = page.length;
  for (let at = PAGE.length; at < tableEnd; at += 2) {
    const start = numbers.short(page, at);
    if (start < tableEnd || start >= end) return undefined;
    items.push(page.subarray(start, end));
    end = start;
  }
  return items;
}

function rowOf(file: PageFile, item: Buffer, numbers: Numbers): Buffer | undefined {
  if (item[0] === INLINE_ITEM) return item.subarray(1);
  if (item[0] !== ELSEWHERE_ITEM || item.length < ELSEWHERE.length) return undefined;
  const pieces: Buffer[] = [];
  let left = numbers.long(item, ELSEWHERE.bytes);
  if (left > MAX_HEADER_BYTES) return undefined;
  for (let next = numbers.long(item, ELSEWHERE.page); left > 0; ) {
    const page = file.take(next);
    if (page?.[PAGE.type] !== OVERFLOW_PAGE) return undefined;
    const used = numbers.short(page, PAGE.used);
    if (used > left || PAGE.length + used > page.length) return undefined;
    pieces.push(page.subarray(PAGE.length, PAGE.length + used));
    left -= used;
    next = numbers.long(page, PAGE.next);
  }
  return Buffer.concat(pieces);
}
