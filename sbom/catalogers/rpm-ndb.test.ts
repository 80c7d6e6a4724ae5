import { describe, expect, it } from 'vitest';
import { ndbOf } from '../testing/rpm-databases.ts';
import { ndbRows } from './rpm-ndb.ts';

const rows = [Buffer.from('first'), Buffer.alloc(5000, 's')];
const [first, second] = rows;
/** Two slots' room are the header's, and one slot is free. */
const SLOT = 64;
const BLOB = 2 * 4096;

describe('a database in the form that is RPM’s own', () => {
  it('has rows of any length', () => {
    expect([...ndbRows(ndbOf(rows))]).toEqual(rows);
  });

  it.each([
    ['slot has another mark', SLOT],
    ['blob has another mark', BLOB],
    ['blob is of another row', BLOB + 4],
    ['blob is longer than its blocks', BLOB + 13],
    ['blocks lie outside of the file', SLOT + 10],
    ['blocks are more than the file has', SLOT + 14],
  ])('has no row whose %s', (_what, at) => {
    const bytes = ndbOf(rows);
    bytes[at] = 9;
    expect([...ndbRows(bytes)]).toEqual([undefined, second]);
  });

  it('has no rows that together are more than the file', () => {
    const many = ndbOf([...rows, rows[0] ?? Buffer.alloc(0), Buffer.alloc(9000)]);
    const slots = [SLOT, SLOT + 16, SLOT + 32, SLOT + 48];
    // All slots, and the blob, are those of the longest row.
    for (const slot of slots.slice(0, -1)) many.copy(many, slot, SLOT + 48, SLOT + 64);
    const found = [...ndbRows(many)];
    expect(found.map((row) => row?.length)).toEqual([9000, 9000, undefined, undefined]);
  });

  it('says that rows may be missing where its slots end', () => {
    expect([...ndbRows(ndbOf(rows).subarray(0, BLOB - 100))]).toEqual([undefined, undefined, undefined]);
    expect([...ndbRows(ndbOf(rows).subarray(0, BLOB + 64))]).toEqual([first, undefined]);
  });

  it('is refused in another version', () => {
    const bytes = ndbOf(rows);
    bytes[4] = 1;
    expect(() => [...ndbRows(bytes)]).toThrow('version');
    expect(() => [...ndbRows(bytes.subarray(0, 20))]).toThrow('version');
  });
});
