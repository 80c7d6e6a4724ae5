import { describe, expect, it } from 'vitest';
import { fileOf } from '../testing/files.ts';
import { apk } from './apk.ts';

describe('the apk cataloger', () => {
  it.each([
    ['lib/apk/db/installed', true],
    ['usr/lib/apk/db/installed', true],
    ['lib/apk/db/scripts.tar', false],
    ['srv/root/lib/apk/db/installed', false],
  ])('says of %s: %s', (path, expected) => {
    expect(apk.matches(path, { size: 1, mode: 0o644 })).toBe(expected);
  });

  it('gives name, version and architecture, and the source that it was built from', () => {
    const installed = [
      'C:Q1abc=',
      'P:libcrypto3',
      'V:3.1.4-r5',
      'A:x86_64',
      'o:openssl',
      'p:so:libcrypto.so.3=3',
      'D:so:libc.musl-x86_64.so.1',
      '',
      'P:.build-deps',
      'V:20240101.120000',
      'A:noarch',
    ].join('\n');
    expect(apk.catalog(fileOf(installed))?.packages).toEqual([
      {
        type: 'apk',
        name: 'libcrypto3',
        version: '3.1.4-r5',
        arch: 'x86_64',
        source: { name: 'openssl', version: '3.1.4-r5' },
      },
      { type: 'apk', name: '.build-deps', version: '20240101.120000', arch: 'noarch' },
    ]);
  });

  it('says which files it has put where', () => {
    const installed = [
      'P:a',
      'V:1',
      'F:usr/bin',
      'M:0:0:1777',
      'R:x',
      'a:0:0:755',
      'R:y z',
      'F:usr/lib',
      'F:',
      'R:top',
      '',
      'P:b',
      'V:1',
      'R:w',
    ].join('\n');
    expect(apk.catalog(fileOf(installed))).toMatchObject({
      owns: [
        { owner: { type: 'apk', name: 'a' }, paths: ['usr/bin/x', 'usr/bin/y z', 'top'] },
        { owner: { type: 'apk', name: 'b' }, paths: ['w'] },
      ],
    });
  });

  it('reads on after stanzas that lack what a package needs, and says how many there were', () => {
    expect(apk.catalog(fileOf('P:a\n\nV:1\n\n\n\nP:b\nV:2\n'))).toMatchObject({
      packages: [{ name: 'b', version: '2' }],
      problem: { code: 'evidence_invalid', message: '2 stanzas lack the name or the version of the package' },
    });
  });

  it('finds nothing in an empty database, and no fault in it', () => {
    expect(apk.catalog(fileOf(''))).toEqual({ packages: [], owns: [] });
  });

  it('does not keep more paths than a layer may have, and says so', () => {
    const installed = `P:a\nV:1\nF:${'x'.repeat(4000)}\n${'R:y\n'.repeat(20_000)}`;
    const found = apk.catalog(fileOf(installed));
    expect(found).toMatchObject({ packages: [{ name: 'a' }], problem: { code: 'evidence_too_large' } });
    expect(found?.owns?.[0]?.paths.length).toBeLessThan(10_000);
  });
});
