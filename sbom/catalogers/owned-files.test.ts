import { describe, expect, it } from 'vitest';
import { MAX_ENTRIES } from '../fragment.ts';
import { OwnedFiles } from './owned-files.ts';

describe('the files that a package manager owns', () => {
  it('have no slash before them', () => {
    const files = new OwnedFiles();
    files.add('/usr/bin/', 'x');
    files.add('usr/lib/', 'y');
    files.add('', 'z');
    expect(files.paths).toEqual(['usr/bin/x', 'usr/lib/y', 'z']);
  });

  it('are left out if they could be no path', () => {
    const files = new OwnedFiles();
    files.add('', '');
    files.add('/', 'x'.repeat(4096));
    expect(files).toMatchObject({ paths: [], isFull: false });
  });

  it('are no more than a layer may have', () => {
    const files = new OwnedFiles();
    for (let count = 0; count <= MAX_ENTRIES; count++) files.add('/', 'x');
    expect(files.paths).toHaveLength(MAX_ENTRIES);
    expect(files.isFull).toBe(true);
  });
});
