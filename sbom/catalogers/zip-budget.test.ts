import { deflateRawSync } from 'node:zlib';
import { describe, expect, it } from 'vitest';
import { fileOf } from '../testing/files.ts';
import { rawZip, type SampleZipEntry } from '../testing/raw-zip.ts';
import { ZipBudget } from './zip-budget.ts';

const MEBIBYTE = 1024 ** 2;

function read(entry: SampleZipEntry, { budget = new ZipBudget(), most = MEBIBYTE } = {}): string {
  const file = fileOf(rawZip([entry]));
  const [found] = budget.entriesOf(file, () => true);
  if (!found) throw new Error('the archive is empty');
  return budget.read(file, found, most).toString();
}

describe('reading a zip archive within bounds', () => {
  it.each([0, 8])('gives what is packed by method %i', (method) => {
    expect(read({ name: 'a', content: 'some content', method })).toBe('some content');
  });

  it('gives only the entries that are wanted', () => {
    const archive = rawZip([{ name: 'a' }, { name: 'b' }]);
    expect(new ZipBudget().entriesOf(fileOf(archive), (name) => name === 'b')).toMatchObject([{ name: 'b' }]);
  });

  it('reads what is stored where it lies, and unpacks the rest into memory', () => {
    const file = fileOf(
      rawZip([
        { name: 'a', content: 'stored', method: 0 },
        { name: 'b', content: 'packed' },
      ]),
    );
    const budget = new ZipBudget();
    const opened = budget.entriesOf(file, () => true).map((each) => budget.open(file, each, { most: 100 }));
    expect(opened.map(({ file: inner, memory }) => [inner.read(2, 100).toString(), memory])).toEqual([
      ['ored', 0],
      ['cked', 6],
    ]);
  });

  it.each([0, 1, 1000, 0xfffffffe])('does not care that an entry claims to have %i bytes', (size) => {
    expect(read({ name: 'a', content: 'some content', size })).toBe('some content');
  });

  it.each<[string, SampleZipEntry, string]>([
    ['too much', { name: 'a', content: 'x'.repeat(2 * MEBIBYTE) }, 'unpacks to too many bytes'],
    ['too much that is stored', { name: 'a', content: 'x'.repeat(2 * MEBIBYTE), method: 0 }, 'is too large'],
    ['too much that is packed to nothing', { name: 'a', packed: emptyBlocks(2 * MEBIBYTE) }, 'is too large'],
    ['other methods', { name: 'a', method: 12 }, 'packed by method 12, which Java lacks'],
    ['what is encrypted', { name: 'a', flags: 1 }, 'is encrypted'],
    ['what is damaged', { name: 'a', packed: Buffer.alloc(50, 0xff) }, 'cannot be unpacked'],
    [
      'what is cut',
      { name: 'a', packed: deflateRawSync('some content').subarray(0, 5) },
      'cannot be unpacked',
    ],
  ])('refuses %s', (_what, entry, message) => {
    expect(() => read(entry)).toThrow(message);
  });

  it('refuses what is packed tighter than any honest file', () => {
    const most = 100 * MEBIBYTE;
    const bomb = { name: 'a', content: Buffer.alloc(20 * MEBIBYTE) };
    expect(() => read(bomb, { most })).toThrow('unpacks to too many bytes');
    expect(read({ ...bomb, content: Buffer.alloc(MEBIBYTE) }, { most })).toHaveLength(MEBIBYTE);
  });

  it('opens 20,000 files and no more', () => {
    const file = fileOf(rawZip([{ name: 'a', method: 0 }]));
    const budget = new ZipBudget();
    const [entry] = budget.entriesOf(file, () => true);
    const open = () => entry && budget.open(file, entry, { most: 1 });
    for (let count = 0; count < 20_000; count++) open();
    expect(open).toThrow('too many files to read');
  });

  it('reads 1 GiB and no more, whatever it is', () => {
    const most = 64 * MEBIBYTE;
    const file = fileOf(rawZip([{ name: 'a', content: Buffer.alloc(most), method: 0 }]));
    const budget = new ZipBudget();
    const [entry] = budget.entriesOf(file, () => true);
    const readOnce = () => entry && budget.read(file, entry, most);
    for (let count = 0; count < 16; count++) readOnce();
    expect(readOnce).toThrow('unpacks to too many bytes');
  });

  it('counts what it unpacked in vain', () => {
    const most = 64 * MEBIBYTE;
    const file = fileOf(
      rawZip([
        { name: 'a', content: Buffer.alloc(most + 1) },
        { name: 'b', content: 'x' },
      ]),
    );
    const budget = new ZipBudget();
    const [bomb, small] = budget.entriesOf(file, () => true);
    if (!bomb || !small) throw new Error('the archive is empty');
    // A ratio of 200 lets each attempt have 12.5 MiB.
    for (let attempt = 0; attempt < 90; attempt++) {
      expect(() => budget.read(file, bomb, most)).toThrow('unpacks to too many bytes');
    }
    expect(() => budget.read(file, small, most)).toThrow('the archive unpacks to too many bytes');
  });

  it('reads 64 MiB of directories and no more', () => {
    const names = Array.from({ length: 20 }, (_, index) => ({ name: `${index}${'x'.repeat(65_000)}` }));
    const file = fileOf(rawZip(names));
    const budget = new ZipBudget();
    const list = () => budget.entriesOf(file, () => false);
    for (let count = 0; count < 51; count++) list();
    expect(list).toThrow('lists too many files');
  });
});

/** A stream of deflate that is long and says nothing: blocks of no bytes, and then an end. */
function emptyBlocks(length: number): Buffer {
  return Buffer.concat([Buffer.alloc(length, Buffer.from([0, 0, 0, 0xff, 0xff])), Buffer.from([3, 0])]);
}
