import { describe, expect, it } from 'vitest';
import { AdvisoryError } from '../errors.ts';
import { compareVersions, findEcosystem, packageKeys } from './table.ts';

const bookworm = { id: 'debian', versionId: '12' };

describe('a package of Debian', () => {
  const libssl = {
    type: 'deb',
    namespace: 'debian',
    name: 'libssl3',
    version: '3.0.11-1~deb12u2+b1',
    source: { name: 'openssl', version: '3.0.11-1~deb12u2' },
  };

  it('is looked up by its source package in the release of the system', () => {
    expect(packageKeys(libssl, bookworm)).toEqual([
      { ecosystem: 'Debian:12', name: 'openssl', version: '3.0.11-1~deb12u2' },
    ]);
  });

  it('is its own source if it names none', () => {
    expect(packageKeys({ ...libssl, source: undefined }, bookworm)).toEqual([
      { ecosystem: 'Debian:12', name: 'libssl3', version: '3.0.11-1~deb12u2+b1' },
    ]);
  });

  it.each([
    ['a derivative', { id: 'ubuntu', versionId: '22.04' }],
    ['a derivative with a number of Debian', { id: 'raspbian', versionId: '12' }],
    ['testing or unstable', { id: 'debian' }],
    ['an unknown system', undefined],
  ])('is not held against advisories on %s', (_what, system) => {
    expect(packageKeys(libssl, system)).toEqual([]);
  });
});

describe('a package of a language', () => {
  it.each([
    [{ type: 'npm', name: 'lodash', version: '4.17.15' }, 'npm', 'lodash'],
    [{ type: 'npm', namespace: '@babel', name: 'core', version: '7.0.0' }, 'npm', '@babel/core'],
    [{ type: 'npm', name: '@babel/core', version: '7.0.0' }, 'npm', '@babel/core'],
    [{ type: 'pypi', name: 'Jaraco.Text_x', version: '3.0' }, 'PyPI', 'jaraco-text-x'],
    [{ type: 'golang', name: 'golang.org/x/text', version: 'v0.3.5' }, 'Go', 'golang.org/x/text'],
    [
      { type: 'golang', namespace: 'golang.org/x', name: 'text', version: 'v0.3.5' },
      'Go',
      'golang.org/x/text',
    ],
    [{ type: 'golang', name: 'stdlib', version: 'go1.22.3' }, 'Go', 'stdlib'],
  ])('is looked up by the name that its database uses: %o', (found, ecosystem, name) => {
    expect(packageKeys(found, bookworm)).toEqual([{ ecosystem, name, version: found.version }]);
  });

  it.each(['', '(devel)', 'devel go1.24-0a1b2c3'])(
    'is left out with %j, which is no version of Go',
    (version) => {
      expect(packageKeys({ type: 'golang', name: 'example.org/tool', version }, undefined)).toEqual([]);
    },
  );

  it('is left out if its version is a placeholder, which the version alone does not tell', () => {
    const found = { type: 'golang', name: 'example.org/tool', version: 'v0.0.0-20240101000000-abcdefabcdef' };
    expect(packageKeys({ ...found, unreleased: true }, undefined)).toEqual([]);
    expect(packageKeys(found, undefined)).toHaveLength(1);
  });

  it('is left out if its type is not known', () => {
    expect(packageKeys({ type: 'nuget', name: 'Left', version: '1.0.0' }, bookworm)).toEqual([]);
  });
});

describe('an ecosystem', () => {
  it('needs a release if it has releases, and takes none if it has not', () => {
    expect(findEcosystem('Debian:12')).toBeDefined();
    expect(findEcosystem('Debian')).toBeUndefined();
    expect(findEcosystem('npm')).toBeDefined();
    expect(findEcosystem('npm:10')).toBeUndefined();
    expect(findEcosystem('constructor')).toBeUndefined();
  });

  it('has an order of its own', () => {
    expect(compareVersions('Debian:12', '1.0~rc1', '1.0')).toBeLessThan(0);
    expect(compareVersions('npm', '1.10.0', '1.9.0')).toBeGreaterThan(0);
    expect(compareVersions('PyPI', '1.0', '1.0.0')).toBe(0);
    expect(compareVersions('Go', 'v0.3.5', '0.3.7')).toBeLessThan(0);
  });

  it('cannot be compared in if it is not known', () => {
    expect(() => compareVersions('Debian', '1', '2')).toThrow(AdvisoryError);
    expect(() => compareVersions('NuGet', '1', '2')).toThrow(/NuGet/);
  });
});
