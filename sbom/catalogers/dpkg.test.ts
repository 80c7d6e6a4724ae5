import { describe, expect, it } from 'vitest';
import { fileOf } from '../testing/files.ts';
import { dpkg } from './dpkg.ts';

const matches = (path: string): boolean => dpkg.matches(path, { size: 1, mode: 0o644 });

describe('the dpkg cataloger', () => {
  it.each([
    ['var/lib/dpkg/status', true],
    ['var/lib/dpkg/status.d/base-files', true],
    ['var/lib/dpkg/status.d/base-files.md5sums', false],
    ['var/lib/dpkg/status-old', false],
    ['srv/root/var/lib/dpkg/status', false],
  ])('says of %s: %s', (path, expected) => {
    expect(matches(path)).toBe(expected);
  });

  it('gives name, version and architecture, and the source that it was built from', () => {
    const status = [
      'Package: libssl3',
      'Status: install ok installed',
      'Architecture: amd64',
      'Source: openssl',
      'Version: 3.0.11-1~deb12u2',
      'Description: toolkit',
      ' Package: not-a-field',
      '',
      'Package: login',
      'Architecture: amd64',
      'Source: shadow (1:4.13+dfsg1-1)',
      'Version: 1:4.13+dfsg1-1+b1',
      '',
      'package: bash',
      'version: 5.2.15-2+b2',
    ].join('\n');
    expect(dpkg.catalog(fileOf(status))).toEqual({
      packages: [
        {
          type: 'deb',
          name: 'libssl3',
          version: '3.0.11-1~deb12u2',
          arch: 'amd64',
          source: { name: 'openssl', version: '3.0.11-1~deb12u2' },
        },
        {
          type: 'deb',
          name: 'login',
          version: '1:4.13+dfsg1-1+b1',
          arch: 'amd64',
          source: { name: 'shadow', version: '1:4.13+dfsg1-1' },
        },
        {
          type: 'deb',
          name: 'bash',
          version: '5.2.15-2+b2',
          source: { name: 'bash', version: '5.2.15-2+b2' },
        },
      ],
    });
  });

  it.each([
    ['install ok installed', 1],
    ['hold ok unpacked', 1],
    ['install reinstreq half-installed', 1],
    ['deinstall ok installed', 1],
    ['deinstall ok config-files', 0],
    ['purge ok not-installed', 0],
  ])('counts a package with the state "%s" %i times', (state, count) => {
    const status = `Package: a\nStatus: ${state}\nVersion: 1\n`;
    expect(dpkg.catalog(fileOf(status))?.packages).toHaveLength(count);
  });

  it('reads on after stanzas that lack what a package needs, and says how many there were', () => {
    const status = 'Package: a\n\nVersion: 1\n\n\n\nPackage: b\nVersion: 2\r\n';
    expect(dpkg.catalog(fileOf(status))).toMatchObject({
      packages: [{ name: 'b', version: '2' }],
      problem: { code: 'evidence_invalid', message: '2 stanzas lack the name or the version of the package' },
    });
  });

  it('finds nothing in an empty database, and no fault in it', () => {
    expect(dpkg.catalog(fileOf(''))).toEqual({ packages: [] });
  });
});
