import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { fileOf } from '../testing/files.ts';
import { rawZip, type SampleZipEntry } from '../testing/raw-zip.ts';
import type { Findings } from './cataloger.ts';
import { type Examined, examine, isLacking, partsLacking, partsOf, settleLacking } from './examine.ts';
import { type FilePart, FileParts, type Piece } from './file-parts.ts';
import { java } from './java.ts';

const pom = (group: string, artifact: string, version: string): SampleZipEntry => ({
  name: `META-INF/maven/${group}/${artifact}/pom.properties`,
  content: `groupId=${group}\nartifactId=${artifact}\nversion=${version}\n`,
});

function catalog(archive: Buffer, hint = 'app.jar'): Findings {
  const found = examine(java, fileOf(archive, hint));
  if (found === undefined || isLacking(found)) throw new Error('the archive is no evidence');
  return found;
}

function names(archive: Buffer, hint?: string): readonly string[] {
  return catalog(archive, hint).packages.map(({ name, version }) => `${name} ${version}`);
}

describe('the Java cataloger', () => {
  it.each([
    ['opt/app/lib/a-1.0.jar', true],
    ['var/jenkins_home/plugins/git.jpi', true],
    ['opt/app/lib/a-1.0.pom', false],
  ])('looks into %s: %s', (path, expected) => {
    expect(java.matches(path, { size: 1, mode: 0o644 })).toBe(expected);
  });

  describe('of an archive that is too large to be in memory', () => {
    const size = 200 * 1024 ** 2;
    /** What lies at its end, far behind a script that starts it. */
    const zip = rawZip([
      pom('org.example', 'app', '1.0'),
      { name: 'filler', content: Buffer.alloc(33 * 1024 ** 2), method: 0 },
      { name: 'lib/b-2.0.jar', content: rawZip([pom('org.example', 'b', '2.0')]), method: 0 },
    ]);
    const read = ({ start, length }: FilePart): Piece => {
      const bytes = Buffer.alloc(length);
      zip.copy(bytes, Math.max(0, size - zip.length - start), Math.max(0, start - size + zip.length));
      if (start === 0) bytes.write('#!');
      return { start, bytes };
    };
    const look = (parts: readonly FilePart[]): Examined => {
      const pieces = [{ start: 0, length: 4096 }, ...parts].map(read);
      return examine(java, new FileParts(size, pieces, { hint: 'app.jar' }));
    };

    it('reads its directory first, and then what it looks into', () => {
      const parts = partsOf(java, read({ start: 0, length: 4096 }).bytes, { size, hint: 'app.jar' });
      expect(parts).toEqual([{ start: size - 32 * 1024 ** 2, length: 32 * 1024 ** 2 }]);
      const first = look(parts ?? []);
      if (!isLacking(first)) throw new Error('nothing is lacking');
      const more = partsLacking(first, java, size);
      expect(more.reduce((sum, { length }) => sum + length, 0)).toBeLessThan(33 * 1024 ** 2);
      expect(look(more)).toMatchObject({
        packages: [
          { name: 'org.example:app', version: '1.0' },
          { name: 'org.example:b', version: '2.0' },
        ],
        problem: undefined,
      });
    });

    it('reads nothing that lies outside of it, and no more than an archive may have', () => {
      const needs = (...parts: readonly FilePart[]) => partsLacking({ needs: parts }, java, size);
      expect(needs({ start: 0, length: 10 })).toEqual([{ start: 0, length: 10 }]);
      expect(needs({ start: size, length: 1 })).toEqual([]);
      expect(needs({ start: -1, length: 1 })).toEqual([]);
      expect(needs({ start: 0.5, length: 1 })).toEqual([]);
      expect(needs({ start: 0, length: 100 * 1024 ** 2 }, { start: 0, length: 100 * 1024 ** 2 })).toEqual([]);
    });

    it('says that it is too large if its directory is, or what is to be looked into', () => {
      expect(settleLacking(look([]), size)).toMatchObject({ problem: { code: 'evidence_too_large' } });
    });
  });

  it('reads archives by their last names, and whatever part of them it needs', () => {
    expect(java.hint?.('opt/app/a-1.0.jar')).toBe('a-1.0.jar');
    const archive = rawZip([
      pom('org.example', 'app', '1.0'),
      { name: 'big', content: 'x'.repeat(5000), method: 0 },
    ]);
    const head = archive.subarray(0, 4096);
    expect(partsOf(java, head, { size: archive.length, hint: '' })).toEqual([
      { start: 0, length: archive.length },
    ]);
    const streamed = new FileParts(archive.length, [{ start: 0, bytes: head }]);
    expect(examine(java, streamed)).toBe('needs-whole');
    const read: number[] = [];
    const onDisk = streamed.withHint('app.jar');
    const fetching = new FileParts(archive.length, [{ start: 0, bytes: head }], {
      hint: onDisk.hint,
      fetch: ({ start, length }) => {
        read.push(length);
        return archive.subarray(start, start + length);
      },
    });
    expect(examine(java, fetching)).toMatchObject({
      packages: [{ name: 'org.example:app', version: '1.0' }],
    });
    expect(Math.max(...read)).toBeLessThan(1000);
  });

  it.each([
    ['a text', 'no archive'],
    ['an archive of RAR', 'Rar!\x1a\x07\x00'],
    ['nothing', ''],
  ])('has nothing to say of %s', (_what, content) => {
    const bytes = Buffer.from(content, 'latin1');
    expect(partsOf(java, bytes, { size: bytes.length, hint: 'a.jar' })).toBeUndefined();
    expect(examine(java, fileOf(bytes, 'a.jar'))).toBeUndefined();
  });

  it('finds what lies in an application, unpacked or packed, and at every level', () => {
    const lib = rawZip([pom('org.example', 'lib', '2.0')]);
    const war = rawZip([
      { name: 'META-INF/MANIFEST.MF', content: 'Manifest-Version: 1.0\n' },
      { name: 'WEB-INF/lib/lib-2.0.jar', content: lib, method: 0 },
      { name: 'WEB-INF/lib/spring-web-5.3.0.jar', content: rawZip([{ name: 'a.class' }]) },
    ]);
    const ear = rawZip([pom('org.example', 'ear', '1.0'), { name: 'front-3.0.war', content: war }]);
    expect(names(ear, 'ear-1.0.ear')).toEqual([
      'front 3.0',
      'org.example:ear 1.0',
      'org.example:lib 2.0',
      'org.springframework:spring-web 5.3.0',
    ]);
    expect(catalog(ear).problem).toBeUndefined();
  });

  it('reads an archive that starts itself', () => {
    const prefix = Buffer.from('#!/bin/sh\nexec java -jar "$0"\n');
    expect(names(rawZip([pom('org.example', 'app', '1.0')], { prefix }))).toEqual(['org.example:app 1.0']);
  });

  it('finds the manifest in any case, and heeds it', () => {
    const content = 'Implementation-Title: tool\nImplementation-Version: 1.5\n';
    expect(names(rawZip([{ name: 'meta-inf/Manifest.mf', content }]))).toEqual(['tool 1.5']);
    const weaving = {
      name: 'META-INF/MANIFEST.MF',
      content: 'Weave-Classes: a.B\nImplementation-Title: a\n',
    };
    expect(names(rawZip([weaving]), 'spring-4.3.jar')).toEqual([]);
  });

  it('needs no more of Maven than its folder', () => {
    expect(names(rawZip([{ name: 'META-INF/maven/org.example/app/pom.xml' }]), 'app-1.0.jar')).toEqual([
      'org.example:app 1.0',
    ]);
  });

  it('says what it could not read, and reads the rest', () => {
    const sound = pom('org.example', 'app', '1.0');
    const cases: readonly [SampleZipEntry, string][] = [
      [{ name: 'lib/a.jar', content: 'PK\x03\x04 and nothing more' }, 'the archive has no directory'],
      [{ name: 'lib/a.jar', packed: Buffer.alloc(9, 0xff) }, 'a file in the archive cannot be unpacked'],
      [{ ...pom('a', 'b', '1'), flags: 1 }, 'a file in the archive is encrypted'],
      [{ name: 'lib/a.jar', offset: 1 }, 'a file in the archive is not where its directory says'],
    ];
    for (const [damaged, message] of cases) {
      const found = catalog(rawZip([damaged, sound]));
      expect(found.packages).toMatchObject([{ name: 'org.example:app' }]);
      expect(found.problem).toEqual({ code: 'evidence_invalid', message });
    }
  });

  it('takes what is called an archive and is none for what it is', () => {
    const found = catalog(rawZip([pom('a', 'b', '1'), { name: 'test/broken.jar', content: 'text' }]));
    expect(found).toMatchObject({ packages: [{ name: 'a:b' }], problem: undefined });
  });
});

describe('the Java cataloger with hostile archives', () => {
  it('goes 8 levels deep', () => {
    for (const method of [0, 8]) {
      let archive = rawZip([pom('a', 'level-100', '1')]);
      for (let level = 99; level > 0; level--) {
        archive = rawZip([pom('a', `level-${level}`, '1'), { name: 'in.jar', content: archive, method }]);
      }
      const found = catalog(archive);
      expect(found.packages).toHaveLength(8);
      expect(found.problem).toMatchObject({ code: 'evidence_too_large' });
    }
  });

  it('gives up on an archive that lists one place over and over, at every level', () => {
    let archive = rawZip([pom('a', 'innermost', '1')]);
    for (let level = 0; level < 7; level++) {
      const again = {
        name: 'in.jar',
        method: 0,
        packedSize: archive.length,
        packed: Buffer.alloc(0),
        offset: 0,
      };
      archive = rawZip([{ name: 'in.jar', content: archive, method: 0 }, ...Array(40).fill(again)]);
    }
    expect(catalog(archive)).toMatchObject({
      packages: [{ name: 'a:innermost' }],
      problem: { code: 'evidence_too_large', message: 'the archive has too many files to read' },
    });
  });

  it('survives one that contains itself', () => {
    const sample = { name: 'a.jar', method: 0, content: '' };
    const { length } = rawZip([sample]);
    for (const packedSize of [length - 35, length - 36, length, 0xffffffff]) {
      expect(catalog(rawZip([{ ...sample, packedSize }])).packages).toEqual([]);
    }
  });

  it('does not unpack a bomb', () => {
    const bomb = { name: 'lib/bomb.jar', content: Buffer.alloc(300 * 1024 ** 2) };
    expect(catalog(rawZip([bomb, pom('a', 'b', '1')]))).toMatchObject({
      packages: [{ name: 'a:b' }],
      problem: { code: 'evidence_too_large', message: 'a file in the archive unpacks to too many bytes' },
    });
  });

  it('never fails, however an archive is damaged', () => {
    const inner = rawZip([pom('a', 'lib', '1'), { name: 'x.jar', content: rawZip([]), method: 0 }]);
    const archive = rawZip([
      pom('a', 'app', '1'),
      { name: 'META-INF/MANIFEST.MF', content: 'Bundle-Version: 1\n' },
      { name: 'lib/a.jar', content: inner, method: 0 },
      { name: 'lib/b.jar', content: inner },
    ]);
    const change = fc.record({ at: fc.nat(archive.length - 1), to: fc.nat(255) });
    const directory = archive.length - 400;
    const near = change.map(({ at, to }) => ({ at: directory + (at % 400), to }));
    fc.assert(
      fc.property(
        fc.array(fc.oneof(change, near), { minLength: 1, maxLength: 10 }),
        fc.nat(),
        (changes, cut) => {
          const damaged = Buffer.from(archive);
          for (const { at, to } of changes) damaged[at] = to;
          examine(java, fileOf(damaged, 'a-1.jar'));
          examine(java, fileOf(damaged.subarray(0, cut % archive.length), 'a-1.jar'));
        },
      ),
      { numRuns: 1000 },
    );
  });
});
