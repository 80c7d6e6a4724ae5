import { describe, expect, it } from 'vitest';
import { bdbOf } from '../testing/rpm-databases.ts';
import { bdbRows } from './rpm-bdb.ts';

const PAGE_BYTES = 512;
const large = Buffer.alloc(1200, 'l');
const small = Buffer.from('small');

/** Pages: the first, the bucket of row 0, those of the two rows, three pages of the large one. */
function database(): Buffer {
  return bdbOf([large, small], { pageBytes: PAGE_BYTES });
}

describe('a hash of Berkeley DB', () => {
  it.each([false, true])('has rows on their page and on others, big-endian: %s', (isBigEndian) => {
    const bytes = bdbOf([large, small], { pageBytes: PAGE_BYTES, isBigEndian });
    expect([...bdbRows(bytes)]).toEqual([large, small]);
  });

  it.each([
    ['run in a circle', 16, 4],
    ['lead to a page of another kind', 16, 2],
    ['lead out of the file', 16, 0xffff],
    ['say to be fuller than a page', 22, 0xffff],
    ['say to be fuller than the row', 22, 1],
  ])('has no row whose pages %s', (_what, field, value) => {
    const bytes = database();
    const page = field === 22 && value === 1 ? 4 : 5;
    bytes.writeUInt16LE(value, page * PAGE_BYTES + field);
    expect([...bdbRows(bytes)]).toEqual([undefined, small]);
  });

  it.each([
    ['item', 20, 0xffff],
    ['second item', 28, PAGE_BYTES],
    ['second item', 28, 1],
  ])('has no row on a page whose %s lies outside of it', (_what, field, value) => {
    const bytes = database();
    bytes.writeUInt16LE(value, 3 * PAGE_BYTES + field);
    expect([...bdbRows(bytes)]).toEqual([large, undefined]);
  });

  it('says that rows may be missing where its end is', () => {
    expect([...bdbRows(database().subarray(0, 4 * PAGE_BYTES))]).toEqual([undefined, small, undefined]);
  });

  it.each([
    ['pages of an odd size', 20, 'no hash'],
    ['the pages of a tree', 25, 'no hash'],
    ['encryption', 24, 'encrypted'],
    ['checksums', 26, 'checksums'],
  ])('is refused with %s', (_what, at, message) => {
    const bytes = database();
    bytes[at] = 1;
    expect(() => [...bdbRows(bytes)]).toThrow(message);
  });
});
