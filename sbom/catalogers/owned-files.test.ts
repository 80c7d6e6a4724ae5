import { describe, expect, it } from 'vitest';
import { MAX_ENTRIES } from '../fragment.ts';
import { OwnedFiles } from './owned-files.ts';

describe('the files that a package manager owns', () => {
  it('have no slash before them', () => {
    const files = new OwnedFiles();
    files.add('/usr/bin/', 'x');
    files.add('usr/lib/', 'y');
    files.add('', 'z');
    files.endPackage(undefined);
    expect(files.owns).toEqual([{ paths: ['usr/bin/x', 'usr/lib/y', 'z'] }]);
  });

  it('are those of the package whose end comes next; one without files has no list', () => {
    const files = new OwnedFiles();
    const [a, b, c] = ['a', 'b', 'c'].map((name) => ({ type: 'apk', name }) as const);
    files.add('/', 'x');
    files.endPackage(a);
    files.endPackage(b);
    files.add('/', 'y');
    files.endPackage(c);
    expect(files.owns).toEqual([
      { owner: a, paths: ['x'] },
      { owner: c, paths: ['y'] },
    ]);
  });

  it('are left out if they could be no path', () => {
    const files = new OwnedFiles();
    files.add('', '');
    files.add('/', 'x'.repeat(4096));
    files.endPackage(undefined);
    expect(files).toMatchObject({ owns: [], isFull: false });
  });

  it('are no more than a layer may have', () => {
    const files = new OwnedFiles();
    for (let count = 0; count <= MAX_ENTRIES; count++) files.add('/', 'x');
    files.endPackage(undefined);
    expect(files.owns[0]?.paths).toHaveLength(MAX_ENTRIES);
    expect(files.isFull).toBe(true);
  });
});
