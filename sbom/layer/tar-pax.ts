import { ArchiveFault } from './archive-fault.ts';

/**
 * The records of a PAX extended header: `LENGTH KEY=VALUE\n`, LENGTH counting the whole record in bytes. As strict as
 * Go's archive/tar: one bad record makes the archive unreadable.
 */
export function parsePaxRecords(bytes: Buffer): Map<string, string> {
  const records = new Map<string, string>();
  let start = 0;
  while (start < bytes.length) {
    const space = bytes.indexOf(0x20, start);
    const digits = space === -1 ? '' : bytes.toString('latin1', start, space);
    const end = /^\+?\d+$/.test(digits) ? start + Number(digits) : Number.NaN;
    if (!(end - start >= 5 && end <= bytes.length && end - 1 > space && bytes[end - 1] === 0x0a)) {
      throw new ArchiveFault('a PAX record of a wrong length');
    }
    const record = bytes.toString('utf8', space + 1, end - 1);
    const equals = record.indexOf('=');
    const key = record.slice(0, equals);
    const value = record.slice(equals + 1);
    if (equals < 1 || (textKeys.has(key) ? value : key).includes('\0')) {
      throw new ArchiveFault('a PAX record without a key, or with a NUL in a name');
    }
    records.set(key, value);
    start = end;
  }
  return records;
}

const textKeys = new Set(['path', 'linkpath', 'uname', 'gname']);

/** The size in a PAX record, in decimal. */
export function parsePaxSize(value: string): number {
  const size = /^[+-]?\d+$/.test(value) ? Number(value) : Number.NaN;
  if (!Number.isSafeInteger(size)) throw new ArchiveFault('a PAX size that is not a number');
  return size;
}
