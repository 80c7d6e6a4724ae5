import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { TarEntry } from '../../sbom/layer/tar-entry.ts';
import { TarReader } from '../../sbom/layer/tar-reader.ts';
import { END_OF_ARCHIVE, paxRecord, rawEntry } from '../../sbom/testing/raw-tar.ts';
import { need } from '../harness/tools.ts';

/** Lists an archive with the library that container runtimes unpack with; exits with 1 where it finds a fault. */
const ORACLE = `package main

import (
	"archive/tar"
	"encoding/json"
	"io"
	"os"
)

type entry struct {
	Name, Link, Type, Content string
	Size, Mode                int64
}

func main() {
	entries := []entry{}
	reader := tar.NewReader(os.Stdin)
	for {
		header, err := reader.Next()
		if err == io.EOF {
			break
		}
		if err != nil {
			os.Exit(1)
		}
		content, err := io.ReadAll(reader)
		if err != nil {
			os.Exit(1)
		}
		if header.Typeflag == tar.TypeXGlobalHeader {
			continue
		}
		entries = append(entries, entry{header.Name, header.Linkname, string(rune(header.Typeflag)), string(content), header.Size, header.Mode})
	}
	json.NewEncoder(os.Stdout).Encode(entries)
}
`;

interface OracleEntry {
  readonly Name: string;
  readonly Link: string;
  readonly Type: string;
  readonly Content: string;
  readonly Size: number;
  readonly Mode: number;
}

let folder: string;
beforeAll(async () => {
  const { go } = await need('go');
  folder = mkdtempSync(join(tmpdir(), 'overlay-tar-'));
  writeFileSync(join(folder, 'main.go'), ORACLE);
  writeFileSync(join(folder, 'go.mod'), 'module example.test/oracle\n\ngo 1.21\n');
  execFileSync(go, ['build', '-o', 'oracle', '.'], { cwd: folder });
});
afterAll(() => rmSync(folder, { recursive: true }));

/** What Go lists, or undefined if it refuses the archive. */
function listWithGo(archive: Buffer): OracleEntry[] | undefined {
  try {
    const options = { input: archive, stdio: ['pipe', 'pipe', 'ignore'] as ['pipe', 'pipe', 'ignore'] };
    return JSON.parse(execFileSync(join(folder, 'oracle'), options).toString());
  } catch {
    return undefined;
  }
}

interface OurEntry {
  readonly entry: TarEntry;
  readonly content: string;
}

/** What our reader lists, or undefined if it refuses the archive. */
function listWithOurs(archive: Buffer): OurEntry[] | undefined {
  const found: OurEntry[] = [];
  const reader = new TarReader((entry) => {
    const pieces: Buffer[] = [];
    const end = (): void => {
      found.push({ entry, content: Buffer.concat(pieces).toString() });
    };
    return { write: (chunk) => pieces.push(chunk), end };
  });
  try {
    reader.write(archive);
    reader.end();
    return found;
  } catch {
    return undefined;
  }
}

const typeflags = {
  file: '0',
  hardlink: '1',
  symlink: '2',
  char: '3',
  block: '4',
  folder: '5',
  fifo: '6',
} as const;
/** What Go lists but no runtime unpacks, so that ours may refuse it. */
const UNPACKABLE = /^[0-6]$/;

const text = fc.oneof(fc.constantFrom('a', 'a/b', 'etc/.wh.passwd', 'd/'), fc.string({ maxLength: 12 }));
const record = fc.oneof(
  fc
    .tuple(fc.constantFrom('path', 'linkpath', 'size', 'mtime', 'uid', 'comment', 'GNU.sparse.name'), text)
    .map(([key, value]) => paxRecord(key, value)),
  fc.nat(40).map((size) => paxRecord('size', String(size))),
  fc.constantFrom(
    paxRecord('GNU.sparse.major', '0') +
      paxRecord('GNU.sparse.minor', '1') +
      paxRecord('GNU.sparse.map', '0,3'),
    paxRecord('GNU.sparse.size', '900'),
    '12 path=cut',
    ' ',
  ),
);
const magic = fc.constantFrom('ustar\x0000', 'ustar  \0', '', 'ustar\0xx', 'ustar 00');
const prefix = fc.oneof(
  fc.constant(''),
  text,
  fc.constantFrom('14721634013', '\x80\x00\x00\x01', 'not a time'),
);
const fields = {
  name: text,
  magic,
  prefix,
  linkname: text,
  trailer: fc.constantFrom('', '', 'tar\0'),
  sum: fc.constantFrom('unsigned' as const, 'unsigned' as const, 'signed' as const),
};
const anyType = fc.constantFrom('0', '\0', '0', '1', '2', '3', '4', '5', '6', '7', 'S', 'Z');

const special = fc.oneof(
  fc
    .tuple(fc.constantFrom('x', 'x', 'g'), fc.array(record, { maxLength: 3 }))
    .map(([type, records]) => rawEntry({ type }, records.join(''))),
  fc.tuple(fc.constantFrom('L', 'K'), text).map(([type, body]) => rawEntry({ type }, `${body}\0rest`)),
);
const entry = fc.oneof(
  fc
    .tuple(fc.record({ ...fields, type: anyType }), fc.string({ maxLength: 40 }))
    .map(([header, body]) => rawEntry(header, body)),
  fc
    .record({ ...fields, type: fc.constantFrom('1', '2', '5', '0'), size: fc.constantFrom(0, 5, 512, 2000) })
    .map((header) => rawEntry(header)),
);
/** Three bytes of a file of nine, as GNU tar writes it. */
const sparse = Buffer.concat([
  rawEntry(
    { type: 'x' },
    ['GNU.sparse.numblocks=1', 'GNU.sparse.map=0,3', 'GNU.sparse.name=disk', 'GNU.sparse.size=9']
      .map((each) => paxRecord(...(each.split('=') as [string, string])))
      .join(''),
  ),
  rawEntry({ name: 'GNUSparseFile.0/disk' }, 'abc'),
]);

const block = fc.oneof(
  {
    weight: 6,
    arbitrary: fc
      .tuple(fc.array(special, { maxLength: 3 }), entry)
      .map((blocks) => Buffer.concat(blocks.flat())),
  },
  { weight: 1, arbitrary: fc.constantFrom(sparse, Buffer.alloc(512), END_OF_ARCHIVE, Buffer.alloc(100, 1)) },
);
const flip = fc.record({ at: fc.nat(2000), to: fc.nat(255) });

/** Blocks that are each nearly right, in any order, now and then with a byte changed. */
const archives = fc
  .tuple(fc.array(block, { maxLength: 4 }), fc.option(flip, { freq: 4, nil: undefined }))
  .map(([blocks, change]) => {
    const archive = Buffer.concat(blocks);
    if (change && change.at < archive.length) archive[change.at] = change.to;
    return archive;
  });

describe('an archive that container runtimes can read', () => {
  it('has the same entries for us, or is refused as one that they could not unpack', () => {
    const seen = { same: 0, refused: 0 };
    fc.assert(
      fc.property(archives, (archive) => {
        const theirs = listWithGo(archive);
        if (theirs === undefined) return;
        const ours = listWithOurs(archive);
        if (ours === undefined) {
          seen.refused += 1;
          expect(theirs.some(({ Type }) => !UNPACKABLE.test(Type))).toBe(true);
          return;
        }
        seen.same += 1;
        expect(
          ours.map(({ entry }) => [entry.name, entry.linkname, typeflags[entry.type], entry.mode]),
        ).toEqual(theirs.map(({ Name, Link, Type, Mode }) => [Name, Link, Type, Mode]));
        for (const [index, { entry, content }] of ours.entries()) {
          if (entry.type !== 'file') continue;
          expect(entry.size).toBe(theirs[index]?.Size);
          if (!entry.sparse) expect(content).toBe(theirs[index]?.Content);
        }
      }),
      { numRuns: 1500 },
    );
    expect(seen.same, JSON.stringify(seen)).toBeGreaterThan(200);
  });
});
