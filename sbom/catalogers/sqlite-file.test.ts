import { DatabaseSync } from 'node:sqlite';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { sqliteOf } from '../testing/rpm-databases.ts';
import { SqliteFile } from './sqlite-file.ts';
import { readColumns } from './sqlite-record.ts';

function blobsIn(bytes: Buffer, maxRecord = 1_000_000): (Buffer | undefined)[] {
  const records = new SqliteFile(bytes, { maxRecord }).records('Packages');
  return [...records].map((record) => record && readColumns(record, 2)?.[1]);
}

const byLength = (a: Buffer | undefined, b: Buffer | undefined): number =>
  (a?.length ?? 0) - (b?.length ?? 0);

describe('a file of SQLite', () => {
  it('has the rows of a table, of whatever length, on pages of whatever size', () => {
    const pageBytes = fc.constantFrom(512, 1024, 4096, 65_536);
    const lengths = fc.uniqueArray(fc.oneof(fc.nat(300), fc.nat(5000), fc.nat(200_000)), { maxLength: 40 });
    fc.assert(
      fc.property(lengths, pageBytes, (each, size) => {
        const rows = each.map((length) => Buffer.alloc(length, length));
        const found = blobsIn(sqliteOf(rows, { pageBytes: size }));
        expect(found.sort(byLength)).toEqual(rows.sort(byLength));
      }),
      { numRuns: 30 },
    );
  });

  it('has them at every length at which a row begins to need another page', () => {
    const rows = Array.from({ length: 1100 }, (_, length) => Buffer.alloc(length, length));
    expect(blobsIn(sqliteOf(rows, { pageBytes: 512 })).sort(byLength)).toEqual(rows);
  });

  it('has none that were deleted', () => {
    using database = new DatabaseSync(':memory:');
    database.exec('CREATE TABLE Packages (hnum INTEGER PRIMARY KEY, blob BLOB)');
    const insert = database.prepare('INSERT INTO Packages (blob) VALUES (?)');
    for (let row = 0; row < 500; row++) insert.run(Buffer.alloc(3000, row));
    database.exec('DELETE FROM Packages WHERE hnum % 7 <> 0');
    expect(blobsIn(Buffer.from(database.serialize()))).toHaveLength(71);
  });

  it('has no row that is longer than is asked for', () => {
    const rows = [Buffer.alloc(100), Buffer.alloc(5000)];
    expect(blobsIn(sqliteOf(rows), 1000)).toEqual([rows[0], undefined]);
  });

  it('has no row whose further pages run in a circle or lie outside', () => {
    const bytes = sqliteOf([Buffer.alloc(20_000, 1), Buffer.alloc(10)]);
    const first = bytes.indexOf(Buffer.alloc(4000, 1), 4 * 4096);
    for (const next of [Math.floor(first / 4096) + 1, 9999, 0]) {
      const damaged = Buffer.from(bytes);
      damaged.writeUInt32BE(next, Math.floor(first / 4096) * 4096);
      expect(blobsIn(damaged)).toEqual([undefined, Buffer.alloc(10)]);
    }
  });

  it('has no rows that share their bytes', () => {
    const bytes = sqliteOf(Array.from({ length: 4 }, () => Buffer.alloc(900)));
    const leaf = bytes.lastIndexOf(Buffer.from([13, 0, 0, 0, 4]));
    const cell = bytes.readUInt16BE(leaf + 8);
    bytes.writeUInt16BE(100, leaf + 3);
    for (let index = 0; index < 100; index++) bytes.writeUInt16BE(cell, leaf + 8 + 2 * index);
    const found = blobsIn(bytes);
    expect(found).toHaveLength(100);
    expect(found.filter((row) => row !== undefined)).toHaveLength(4);
  });

  it('is refused without the table, and where it is something else', () => {
    using database = new DatabaseSync(':memory:');
    database.exec('CREATE TABLE Other (key INTEGER)');
    expect(() => blobsIn(Buffer.from(database.serialize()))).toThrow('lacks the table');
    expect(() => blobsIn(Buffer.from('SQLite format 3\0'))).toThrow('not of SQLite');
    const odd = sqliteOf([]);
    odd.writeUInt16BE(100, 16);
    expect(() => blobsIn(odd)).toThrow('not of SQLite');
  });
});
