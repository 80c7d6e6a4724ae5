import { describe, expect, it } from 'vitest';
import { fileOf } from '../testing/files.ts';
import { python } from './python.ts';

describe('the Python cataloger', () => {
  it.each([
    ['usr/lib/python3/dist-packages/six-1.16.0.dist-info/METADATA', true],
    ['six-1.16.0.dist-info/METADATA', true],
    ['usr/lib/python3/dist-packages/PyYAML-6.0.egg-info', true],
    ['usr/lib/python3/dist-packages/PyYAML-6.0.egg-info/PKG-INFO', true],
    ['opt/six-1.16.0-py3.11.egg/EGG-INFO/PKG-INFO', true],
    ['six-1.16.0.dist-info/RECORD', false],
    ['six-1.16.0.egg-info/requires.txt', false],
    ['METADATA', false],
    ['.dist-info/METADATA', false],
  ])('says of %s: %s', (path, expected) => {
    expect(python.matches(path, { size: 1, mode: 0o644 })).toBe(expected);
  });

  it('gives name and version from the headers, and nothing from the description', () => {
    const metadata = 'Metadata-Version: 2.1\nName: Jinja2\nVersion: 2.4\n\nName: other\nVersion: 9\n';
    expect(python.catalog(fileOf(metadata))).toEqual({
      packages: [{ type: 'pypi', name: 'Jinja2', version: '2.4' }],
    });
  });

  it.each(['', 'Name: a\n', '\n\n', 'no headers at all'])('says that %j names nothing', (metadata) => {
    expect(python.catalog(fileOf(metadata))).toMatchObject({
      packages: [],
      problem: { code: 'evidence_invalid' },
    });
  });
});
