import { describe, expect, it } from 'vitest';
import { readColumns, readVarint, toInteger } from './sqlite-record.ts';

describe('a record of SQLite', () => {
  it.each([
    ['00', 0, 1],
    ['7f', 127, 1],
    ['8100', 128, 2],
    ['ffffffffffffffffff', 2 ** 64, 9],
    ['81', undefined, undefined],
    ['', undefined, undefined],
  ])('has %s for %d', (hex, value, end) => {
    const found = readVarint(Buffer.from(hex, 'hex'), 0);
    expect(found?.value).toBe(value);
    expect(found?.end).toBe(end);
  });

  it('has columns of whatever kind, of which the first are given', () => {
    // Four types: absent, two bytes, a text of three, eight bytes.
    const record = Buffer.concat([Buffer.from([5, 0, 2, 19, 6]), Buffer.from('\x01\x02abc12345678')]);
    const columns = readColumns(record, 3);
    expect(columns?.map(String)).toEqual(['', '\x01\x02', 'abc']);
    expect(toInteger(columns?.[0])).toBeUndefined();
    expect(toInteger(columns?.[1])).toBe(258);
    expect(readColumns(record, 9)).toHaveLength(4);
  });

  it.each(['', '09', '0214', '0281', '02ffffffffffffffffff'])('is refused as %j', (hex) => {
    expect(readColumns(Buffer.from(hex, 'hex'), 4)).toBeUndefined();
  });
});
