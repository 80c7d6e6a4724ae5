import { describe, expect, it } from 'vitest';
import { fileOf } from '../testing/files.ts';
import { rpmManifest } from './rpm-manifest.ts';

describe('the cataloger of lists of RPM packages', () => {
  it.each([
    ['var/lib/rpmmanifest/container-manifest-2', true],
    ['var/lib/rpmmanifest/container-manifest-1', false],
    ['srv/var/lib/rpmmanifest/container-manifest-2', false],
  ])('says of %s: %s', (path, expected) => {
    expect(rpmManifest.matches(path, { size: 1, mode: 0o644 })).toBe(expected);
  });

  it('gives what RPM gives, and says how many lines name nothing', () => {
    const manifest = [
      'tzdata\t2024a-1.azl3\t1653816591\t1653753130\tA Vendor\t(none)\t580\tnoarch\t0\ttzdata-2024a-1.azl3.src.rpm',
      'bind-libs\t9.16-1\t1653816591\t1653753130\tA Vendor\t32\t580\tx86_64\t32\tbind-9.16-1.src.rpm',
      'gpg-pubkey\t3135ce90-5e6fda74\t1\t1\t(none)\t(none)\t0\t(none)\t0\t(none)',
      'short',
      '',
    ].join('\n');
    expect(rpmManifest.catalog(fileOf(manifest))).toEqual({
      packages: [
        {
          type: 'rpm',
          name: 'tzdata',
          version: '2024a-1.azl3',
          arch: 'noarch',
          source: { name: 'tzdata', version: '2024a-1.azl3' },
        },
        {
          type: 'rpm',
          name: 'bind-libs',
          version: '32:9.16-1',
          arch: 'x86_64',
          source: { name: 'bind', version: '32:9.16-1' },
        },
      ],
      problem: { code: 'evidence_invalid', message: '1 lines lack the name or the version of the package' },
    });
  });
});
