import { describe, expect, it } from 'vitest';
import { fileOf } from '../testing/files.ts';
import { osRelease } from './os-release.ts';

describe('the os-release cataloger', () => {
  it.each([
    ['etc/os-release', true],
    ['usr/lib/os-release', true],
    ['usr/lib/os.release.d/os-release-container', true],
    ['usr/lib/a/b/os-release', false],
    ['srv/etc/os-release', false],
    ['etc/debian_version', false],
  ])('says of %s: %s', (path, expected) => {
    expect(osRelease.matches(path, { size: 1, mode: 0o644 })).toBe(expected);
  });

  it('takes off quotes as a shell does', () => {
    const text = `# comment\nID='debian'\nVERSION_ID="12"\nPRETTY_NAME="a \\"b\\" \\$c \\d"\nBUG=1\n`;
    expect(osRelease.catalog(fileOf(text))?.os).toEqual({
      id: 'debian',
      versionId: '12',
      prettyName: 'a "b" $c \\d',
    });
  });

  it('leaves the version out where there is none, as in rolling distributions', () => {
    expect(osRelease.catalog(fileOf('ID=arch\nVERSION_ID=\n'))?.os).toEqual({ id: 'arch' });
  });

  it('takes no longer for a line of blanks', () => {
    const text = `ID=debian\nA=${' '.repeat(5_000_000)}x\n`;
    expect(osRelease.catalog(fileOf(text))?.os).toEqual({ id: 'debian' });
  });

  it('says linux where the file does not say more', () => {
    expect(osRelease.catalog(fileOf('\0garbage'))?.os).toEqual({ id: 'linux' });
  });
});
