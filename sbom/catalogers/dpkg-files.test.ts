import { describe, expect, it } from 'vitest';
import { fileOf } from '../testing/files.ts';
import { dpkgFiles } from './dpkg-files.ts';

describe('the lists of files of Debian packages', () => {
  it.each([
    ['var/lib/dpkg/info/bash.list', true],
    ['var/lib/dpkg/info/libc6:amd64.list', true],
    ['var/lib/dpkg/status.d/libc6.md5sums', true],
    ['var/lib/dpkg/info/bash.md5sums', false],
    ['var/lib/dpkg/status.d/libc6', false],
  ])('says of %s: %s', (path, expected) => {
    expect(dpkgFiles.matches(path, { size: 1, mode: 0o644 })).toBe(expected);
  });

  it('name the files, and by their own names the package', () => {
    const hint = dpkgFiles.hint?.('var/lib/dpkg/info/libc6:amd64.list');
    expect(dpkgFiles.catalog(fileOf('/.\n/lib\n/lib/libc.so.6\n/a  b\n\nrelative\n', hint))).toEqual({
      packages: [],
      owns: [
        {
          owner: { type: 'deb', name: 'libc6', arch: 'amd64' },
          paths: ['.', 'lib', 'lib/libc.so.6', 'a  b'],
        },
      ],
    });
  });

  it('are lists of checksums in images without dpkg', () => {
    const sum = '0123456789abcdef'.repeat(2);
    const list = `${sum}  usr/lib/libssl.so.3\n${sum}  ./usr/bin/x y\nnone  usr/bin/z\n`;
    expect(dpkgFiles.catalog(fileOf(list, 'libssl3.md5sums'))).toEqual({
      packages: [],
      owns: [{ owner: { type: 'deb', name: 'libssl3' }, paths: ['usr/lib/libssl.so.3', 'usr/bin/x y'] }],
    });
  });

  it("are nobody's if their names could be of no package", () => {
    expect(dpkgFiles.catalog(fileOf('/a\n', '.list'))?.owns).toEqual([{ paths: ['a'] }]);
  });
});
