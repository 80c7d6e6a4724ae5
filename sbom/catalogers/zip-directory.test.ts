import { buffer } from 'node:stream/consumers';
import { describe, expect, it } from 'vitest';
import { ZipFile } from 'yazl';
import { fileOf } from '../testing/files.ts';
import { rawZip, type SampleZipOptions } from '../testing/raw-zip.ts';
import { dataStart, findDirectory, readEntries, type ZipEntry } from './zip-directory.ts';

function entriesOf(archive: Buffer): readonly ZipEntry[] {
  const file = fileOf(archive);
  return [...readEntries(file, findDirectory(file))];
}

const files = [
  { name: 'a.txt', content: 'first' },
  { name: 'b/c.txt', content: 'second' },
];

describe('the directory of a zip archive', () => {
  it('lists its files', () => {
    const archive = rawZip(files);
    expect(entriesOf(archive)).toMatchObject([
      { name: 'a.txt', method: 8, isEncrypted: false, size: 5, start: 0 },
      { name: 'b/c.txt', method: 8, isEncrypted: false, size: 6 },
    ]);
  });

  it.each<[string, SampleZipOptions]>([
    ['behind a script', { prefix: Buffer.from('#!/bin/sh\nexec java -jar "$0"\n') }],
    ['before a comment', { comment: Buffer.from('made by hand') }],
    ['before the longest comment', { comment: Buffer.alloc(65_535, 'x') }],
    ['before a comment that holds the mark of an end', { comment: Buffer.from('PK\x05\x06 is the mark') }],
    ['before an end that claims another', { comment: Buffer.concat([rawZip([]), Buffer.from('x')]) }],
  ])('is found %s', (_where, options) => {
    const archive = rawZip(files, options);
    const entries = entriesOf(archive);
    expect(entries.map(({ name }) => name)).toEqual(['a.txt', 'b/c.txt']);
    const [entry] = entries;
    const start = entry && dataStart(fileOf(archive), entry);
    expect(start).toBe((options.prefix?.length ?? 0) + 35);
  });

  it.each([true, false])(
    'is read as another writer has it, with large numbers: %s',
    async (forceZip64Format) => {
      const zip = new ZipFile();
      for (const { name, content } of files) zip.addBuffer(Buffer.from(content), name, { forceZip64Format });
      zip.end({ forceZip64Format, comment: '' });
      const archive = await buffer(zip.outputStream);
      const file = fileOf(archive);
      const entries = entriesOf(archive);
      expect(entries).toMatchObject([
        { name: 'a.txt', size: 5 },
        { name: 'b/c.txt', size: 6 },
      ]);
      for (const entry of entries) expect(dataStart(file, entry)).toBeGreaterThan(entry.start);
    },
  );

  it('takes names that are not UTF-8', () => {
    expect(entriesOf(rawZip([{ name: Buffer.from([0xff, 0xfe]) }]))).toMatchObject([
      { name: '\ufffd\ufffd' },
    ]);
  });

  it.each([
    ['nothing', Buffer.alloc(0)],
    ['no archive', Buffer.alloc(100_000, 'x')],
    ['half an archive', rawZip(files).subarray(0, 100)],
    ['an archive whose directory would begin before it', rawZip(files, { directoryLength: 5000 })],
    ['ends without a directory', Buffer.alloc(65_536, 'PK\x05\x06', 'latin1')],
  ])('is not there in %s', (_what, archive) => {
    expect(() => entriesOf(archive)).toThrow('the archive has no directory');
  });

  it('is read no further than it is sound', () => {
    const archive = rawZip(files);
    archive.write('XX', archive.lastIndexOf('PK\x01\x02'), 'latin1');
    expect(() => entriesOf(archive)).toThrow('the directory of the archive is damaged');
    expect(() => entriesOf(rawZip(files, { directoryLength: 70 }))).toThrow('damaged');
  });

  it.each([
    ['another file', { offset: 3 }, 'not where its directory says'],
    ['no place in the archive', { offset: 0xfffffff0 }, 'not where its directory says'],
    ['a place past the end', { packedSize: 100_000 }, 'is cut off'],
  ])('can name %s, which is found out', (_what, lie, message) => {
    const archive = rawZip([{ name: 'a', content: 'x', ...lie }]);
    const [entry] = entriesOf(archive);
    expect(() => entry && dataStart(fileOf(archive), entry)).toThrow(message);
  });
});
