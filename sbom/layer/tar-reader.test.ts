import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { tarOf } from '../testing/archives.ts';
import { END_OF_ARCHIVE, paxRecord, rawEntry, sealHeader } from '../testing/raw-tar.ts';
import type { TarEntry } from './tar-entry.ts';
import { TarReader } from './tar-reader.ts';

interface Read {
  readonly entry: TarEntry;
  readonly content: string;
}

function read(archive: Buffer, pieceBytes = archive.length): Read[] {
  const found: Read[] = [];
  const reader = new TarReader((entry) => {
    const pieces: Buffer[] = [];
    return {
      write: (chunk) => pieces.push(Buffer.from(chunk)),
      end: () => found.push({ entry, content: Buffer.concat(pieces).toString() }),
    };
  });
  for (let at = 0; at < archive.length; at += pieceBytes) reader.write(archive.subarray(at, at + pieceBytes));
  reader.end();
  return found;
}

function names(archive: Buffer): string[] {
  return read(archive).map(({ entry }) => entry.name);
}

describe('the tar reader', () => {
  it('reads what another program has packed, however the bytes arrive', async () => {
    const text = fc.string({ unit: 'grapheme', minLength: 1 }).filter((each) => !each.includes('\0'));
    await fc.assert(
      fc.asyncProperty(
        fc.array(
          fc.record({ name: fc.array(text, { minLength: 1 }), content: fc.string({ maxLength: 3000 }) }),
        ),
        fc.integer({ min: 1, max: 5000 }),
        async (files, pieceBytes) => {
          const entries = files.map(({ name, content }) => ({ name: `d/${name.join('/')}.x`, content }));
          const found = read(await tarOf(entries), pieceBytes);
          expect(found.map(({ entry, content }) => ({ name: entry.name, content }))).toEqual(entries);
        },
      ),
    );
  });

  it('gives type, mode, size and target of an entry', async () => {
    const long = `${'folder/'.repeat(40)}end`;
    const archive = await tarOf([
      { name: 'bin/tool', content: 'ELF', mode: 0o755 },
      { name: 'bin/alias', type: 'symlink', linkname: long },
      { name: 'bin/same', type: 'link', linkname: 'bin/tool' },
      { name: 'dev/null', type: 'character-device', devmajor: 1, devminor: 3 },
      { name: 'tmp', type: 'directory' },
    ]);
    expect(read(archive).map(({ entry }) => entry)).toMatchObject([
      { type: 'file', name: 'bin/tool', mode: 0o755, size: 3, position: 512 },
      { type: 'symlink', name: 'bin/alias', linkname: long },
      { type: 'hardlink', linkname: 'bin/tool' },
      { type: 'char', device: { major: 1, minor: 3 } },
      { type: 'folder' },
    ]);
  });

  it('stops at two blocks of zeros, whatever stands behind them', () => {
    const hidden = rawEntry({ name: 'var/lib/dpkg/.wh.status' });
    expect(names(Buffer.concat([rawEntry({ name: 'a' }), END_OF_ARCHIVE, hidden]))).toEqual(['a']);
  });

  it('does without the blocks of zeros, as runtimes do', () => {
    expect(names(rawEntry({ name: 'a' }))).toEqual(['a']);
  });

  it('applies no global PAX record to an entry, and forgets what was said before one', () => {
    const global = rawEntry({ type: 'g' }, paxRecord('path', 'elsewhere'));
    const local = rawEntry({ type: 'x' }, paxRecord('path', 'lost'));
    expect(names(Buffer.concat([local, global, rawEntry({ name: 'a' })]))).toEqual(['a']);
  });

  it('prefers a GNU long name to a PAX path, and a PAX path to the header', () => {
    const long = rawEntry({ type: 'L' }, 'from-gnu\0');
    const pax = rawEntry({ type: 'x' }, paxRecord('path', 'from-pax'));
    expect(names(Buffer.concat([long, pax, rawEntry({}), pax, rawEntry({}), rawEntry({})]))).toEqual([
      'from-gnu',
      'from-pax',
      'name',
    ]);
  });

  it('takes the size from PAX, and no body for a link or a folder whatever size it states', () => {
    const pax = rawEntry({ type: 'x' }, paxRecord('size', '5'));
    const folder = rawEntry({ name: 'd', type: '5', size: 512 });
    const file = rawEntry({ name: 'f', size: 0 }, 'hello');
    expect(
      read(Buffer.concat([folder, pax, file])).map(({ entry, content }) => [entry.name, content]),
    ).toEqual([
      ['d', ''],
      ['f', 'hello'],
    ]);
  });

  it('tells a folder by the slash in the oldest archives only', () => {
    const old = rawEntry({ name: 'old/', type: '\0', magic: '' });
    const file = rawEntry({ name: 'file/', type: '0' });
    expect(read(Buffer.concat([old, file])).map(({ entry }) => entry.type)).toEqual(['folder', 'file']);
  });

  it('joins the prefix of ustar, and keeps GNU tar’s times out of the name', () => {
    const ustar = rawEntry({ name: 'b', prefix: 'a' });
    const gnu = rawEntry({ name: 'c', prefix: '14721634013', magic: 'ustar  \0' });
    expect(names(Buffer.concat([ustar, gnu]))).toEqual(['a/b', 'c']);
  });

  it('names a sparse file by its PAX records, and says that its body is no content', () => {
    const records = [
      paxRecord('GNU.sparse.major', '1'),
      paxRecord('GNU.sparse.minor', '0'),
      paxRecord('GNU.sparse.name', 'disk'),
      paxRecord('GNU.sparse.realsize', '1000000'),
    ];
    const archive = Buffer.concat([rawEntry({ type: 'x' }, records.join('')), rawEntry({}, '0\n')]);
    expect(read(archive)).toMatchObject([
      { entry: { name: 'disk', size: 1_000_000, bodySize: 2, sparse: true } },
    ]);
  });

  it('reads a size in base 256, which files of more than 8 GiB have', () => {
    const header = rawEntry({ name: 'big' });
    header.writeUInt8(0x80, 124);
    header.writeUIntBE(0, 125, 6);
    header.writeUIntBE(5_000_000_000, 130, 6);
    sealHeader(header);
    let size = 0;
    new TarReader((entry) => {
      size = entry.size;
      return undefined;
    }).write(header);
    expect(size).toBe(5_000_000_000);
  });

  it.each([
    ['a wrong checksum', Buffer.concat([Buffer.from('x'), rawEntry({})]).subarray(0, 512), /checksum/],
    ['a type that no runtime unpacks', rawEntry({ type: 'S' }), /an entry of type "S"/],
    ['an entry after one block of zeros', Buffer.concat([Buffer.alloc(512), rawEntry({})]), /zeros/],
    ['an end inside a body', rawEntry({ size: 5000 }, 'short'), /end inside/],
    ['an end inside a header', rawEntry({}).subarray(0, 100), /end inside/],
    ['an endless extended header', rawEntry({ type: 'x', size: 2 ** 30 }), /extended header/],
    ['a PAX record that reaches too far', rawEntry({ type: 'x' }, '99 path=a\n'), /PAX record/],
    ['a PAX record without a key', rawEntry({ type: 'x' }, '6 =ab\n'), /PAX record/],
    [
      'a PAX size that is no number',
      Buffer.concat([rawEntry({ type: 'x' }, paxRecord('size', '1e3')), rawEntry({})]),
      /PAX size/,
    ],
  ])('refuses %s', (_what, archive, message) => {
    expect(() => read(archive)).toThrow(message);
  });
});
