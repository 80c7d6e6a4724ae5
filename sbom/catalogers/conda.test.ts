import { describe, expect, it } from 'vitest';
import { fileOf } from '../testing/files.ts';
import { conda } from './conda.ts';

describe('the conda cataloger', () => {
  it.each([
    ['opt/conda/conda-meta/numpy-1.26.4-py311h64a7726_0.json', true],
    ['opt/conda/envs/x/conda-meta/pip-24.0-pyhd8ed1ab_0.json', true],
    ['opt/conda/conda-meta/history', false],
    ['opt/conda/pkgs/numpy/info/index.json', false],
  ])('says of %s: %s', (path, expected) => {
    expect(conda.matches(path, { size: 1, mode: 0o644 })).toBe(expected);
  });

  it('gives name and version', () => {
    const record = { build: 'py311h64a7726_0', name: 'numpy', version: '1.26.4', files: ['bin/f2py'] };
    expect(conda.catalog(fileOf(JSON.stringify(record)))).toEqual({
      packages: [{ type: 'conda', name: 'numpy', version: '1.26.4' }],
    });
  });

  it.each(['{}', '[]', 'null', '{"name":"a","version":1}'])('cannot read %s', (text) => {
    expect(() => conda.catalog(fileOf(text))).toThrow('lacks the name or the version');
  });
});
