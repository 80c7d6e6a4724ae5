import { describe, expect, it } from 'vitest';
import { fileOf } from '../testing/files.ts';
import { php } from './php.ts';

const catalog = (json: unknown): unknown => php.catalog(fileOf(JSON.stringify(json)));
const monolog = { name: 'monolog/monolog', version: '2.9.1', version_normalized: '2.9.1.0', type: 'library' };

describe('the PHP cataloger', () => {
  it.each([
    ['srv/vendor/composer/installed.json', true],
    ['srv/libraries/composer/installed.json', true],
    ['srv/installed.json', false],
    ['srv/vendor/composer/installed.php', false],
  ])('says of %s: %s', (path, expected) => {
    expect(php.matches(path, { size: 1, mode: 0o644 })).toBe(expected);
  });

  it.each([
    ['first', [monolog]],
    ['second', { packages: [monolog], dev: true }],
  ])('reads the form of the %s Composer', (_which, json) => {
    expect(catalog(json)).toEqual({
      packages: [{ type: 'composer', name: 'monolog/monolog', version: '2.9.1' }],
    });
  });

  it.each([
    ['v5.4.0', '5.4.0', undefined],
    ['1.0.0-RC1', '1.0.0-RC1', undefined],
    ['dev-main', 'dev-main', true],
    ['2.x-dev', '2.x-dev', true],
    ['victory', 'victory', undefined],
  ])('reads the version %s as %s', (version, expected, unreleased) => {
    expect(catalog([{ ...monolog, version }])).toEqual({
      packages: [
        { type: 'composer', name: 'monolog/monolog', version: expected, ...(unreleased && { unreleased }) },
      ],
    });
  });

  it('says how many packages it cannot read', () => {
    expect(catalog([monolog, {}, null, { name: 'a/b', version: 1 }])).toMatchObject({
      packages: [{ name: 'monolog/monolog' }],
      problem: { message: '3 packages lack a name or a version' },
    });
  });

  it.each([{}, 'text', { packages: {} }])('cannot read %j', (json) => {
    expect(() => catalog(json)).toThrow('the file lists no packages');
  });
});
