import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { fileOf } from '../testing/files.ts';
import { bdbOf, ndbOf, sqliteOf } from '../testing/rpm-databases.ts';
import { headerOf, rpmHeader, textEntry } from '../testing/rpm-headers.ts';
import type { Findings } from './cataloger.ts';
import { examine, isLacking } from './examine.ts';
import { rpm } from './rpm.ts';

const forms = {
  'Berkeley DB': (rows: readonly Buffer[]) => bdbOf(rows),
  'Berkeley DB with small pages': (rows: readonly Buffer[]) => bdbOf(rows, { pageBytes: 512 }),
  'Berkeley DB of a big-endian machine': (rows: readonly Buffer[]) => bdbOf(rows, { isBigEndian: true }),
  ndb: ndbOf,
  SQLite: (rows: readonly Buffer[]) => sqliteOf(rows),
  'SQLite with small pages': (rows: readonly Buffer[]) => sqliteOf(rows, { pageBytes: 512 }),
  'SQLite with the largest pages': (rows: readonly Buffer[]) => sqliteOf(rows, { pageBytes: 65_536 }),
} as const;
const eachForm = Object.entries(forms);

const bash = { name: 'bash', version: '5.1.8', release: '6.el9', arch: 'x86_64' };

function find(database: Buffer): Findings {
  const found = examine(rpm, fileOf(database));
  if (found === undefined || isLacking(found)) throw new Error('the file is no evidence');
  return found;
}

const word = fc.stringMatching(/^[a-z0-9][a-z0-9._+-]{0,12}$/);
const number = fc.stringMatching(/^[0-9][a-z0-9._~^]{0,8}$/);
const path = fc.array(word, { minLength: 1, maxLength: 4 }).map((parts) => `/${parts.join('/')}`);
const sample = fc.record({
  name: word,
  version: number,
  release: number,
  epoch: fc.option(fc.nat(), { nil: undefined }),
  arch: fc.constantFrom('x86_64', 'noarch'),
  files: fc.array(path, { maxLength: 60 }),
});
const samples = fc.uniqueArray(sample, { selector: ({ name }) => name, maxLength: 30 });

describe('the RPM cataloger', () => {
  it.each([
    ['var/lib/rpm/Packages', true],
    ['usr/lib/sysimage/rpm/Packages.db', true],
    ['usr/share/rpm/rpmdb.sqlite', true],
    ['var/lib/rpm/rpmdb.sqlite-wal', false],
    ['var/lib/rpm/Name', false],
    ['srv/var/lib/rpm/Packages', false],
  ])('says of %s: %s', (each, expected) => {
    expect(rpm.matches(each, { size: 1, mode: 0o644 })).toBe(expected);
  });

  it('gives name, version with epoch and release, architecture, source and module stream', () => {
    const sourceRpm = 'conmon-src-2.0.6-1.el8.src.rpm';
    const header = rpmHeader({
      name: 'conmon',
      version: '2.0.6',
      release: '1.el8',
      epoch: 2,
      arch: 'x86_64',
      sourceRpm,
      module: 'container-tools:rhel8:8020020200507003530:0d58ad57',
      files: ['/usr/bin/conmon'],
    });
    const key = rpmHeader({ name: 'gpg-pubkey', version: '3135ce90', release: '5e6fda74' });
    expect(find(sqliteOf([header, key]))).toEqual({
      packages: [
        {
          type: 'rpm',
          name: 'conmon',
          version: '2:2.0.6-1.el8',
          arch: 'x86_64',
          source: { name: 'conmon-src', version: '2:2.0.6-1.el8' },
          module: 'container-tools:rhel8:8020020200507003530:0d58ad57',
        },
      ],
      owns: [{ owner: { type: 'rpm', name: 'conmon', arch: 'x86_64' }, paths: ['usr/bin/conmon'] }],
    });
  });

  it.each(eachForm)('reads all packages and their files back from %s', (_form, databaseOf) => {
    fc.assert(
      fc.property(samples, (packages) => {
        const { packages: found, owns, problem } = find(databaseOf(packages.map(rpmHeader)));
        expect(problem).toBeUndefined();
        const owned = owns?.flatMap(({ owner, paths }) => paths.map((path) => `${owner?.name} ${path}`));
        expect(new Set(owned)).toEqual(
          new Set(packages.flatMap(({ name, files }) => files.map((file) => `${name} ${file.slice(1)}`))),
        );
        const expected = packages.map(({ name, epoch, version, release, arch }) => {
          return [name, `${epoch ? `${epoch}:` : ''}${version}-${release}`, arch].join(' ');
        });
        expect(found.map(({ name, version, arch }) => [name, version, arch].join(' ')).sort()).toEqual(
          expected.sort(),
        );
      }),
      { numRuns: 50 },
    );
  });

  it.each(eachForm)('finds nothing in %s without a row, and no fault in it', (_form, databaseOf) => {
    expect(find(databaseOf([]))).toEqual({ packages: [], owns: [] });
  });

  it('finds nothing in a file without a byte, and no fault in it', () => {
    expect(find(Buffer.alloc(0))).toEqual({ packages: [], owns: [] });
  });

  it.each(eachForm)(
    'reads the other rows of %s where some are damaged, and says how many',
    (_form, databaseOf) => {
      const nameless = headerOf(textEntry(1001, '1'));
      const rows = [Buffer.from('no header'), rpmHeader(bash), nameless, rpmHeader({ ...bash, name: 'sh' })];
      expect(find(databaseOf(rows))).toMatchObject({
        packages: [{ name: 'bash' }, { name: 'sh' }],
        problem: { code: 'evidence_invalid', message: '2 rows or pages cannot be read' },
      });
    },
  );

  it('keeps a package of which only the list of files is damaged, and says so', () => {
    const header = rpmHeader({ ...bash, files: ['/usr/bin/bash'] });
    // The number of base names.
    header.writeUInt32BE(9999, header.indexOf(Buffer.from([0, 0, 0x04, 0x5d])) + 12);
    expect(find(ndbOf([header]))).toMatchObject({
      packages: [{ name: 'bash' }],
      problem: { message: 'the lists of files of 1 packages cannot be read' },
    });
  });

  it('says that a file of another kind is no database', () => {
    expect(find(Buffer.from('<html>'))).toMatchObject({
      packages: [],
      problem: { code: 'evidence_invalid', message: 'the file is no database of RPM' },
    });
  });

  it('comes to an end with whatever bytes, and names what is wrong with them', () => {
    const rows = [
      { ...bash, files: ['/usr/bin/bash', '/usr/bin/sh'] },
      { ...bash, name: 'x'.repeat(900) },
    ];
    const databases = Object.values(forms).map((databaseOf) => databaseOf(rows.map(rpmHeader)));
    // Where the structure is: the beginnings of the file and of its pages.
    const place = fc.tuple(fc.nat(40), fc.nat(130)).map(([page, at]) => 512 * page + at);
    const change = fc.tuple(
      fc.oneof(place, fc.nat(30_000)),
      fc.oneof(fc.constantFrom(0, 1, 255), fc.nat(255)),
    );
    fc.assert(
      fc.property(
        fc.constantFrom(...databases),
        fc.array(change, { minLength: 1, maxLength: 12 }),
        fc.option(fc.nat(30_000)),
        (database, changes, cut) => {
          const damaged = Buffer.from(database.subarray(0, cut ?? database.length));
          for (const [at, byte] of changes) if (at < damaged.length) damaged[at] = byte;
          expect(find(damaged).problem?.message).not.toBe('the file cannot be parsed');
        },
      ),
      { numRuns: 5000 },
    );
  });
});
