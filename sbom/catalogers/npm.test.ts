import { describe, expect, it } from 'vitest';
import { fileOf } from '../testing/files.ts';
import { npm } from './npm.ts';

describe('the npm cataloger', () => {
  it.each([
    ['app/node_modules/left-pad/package.json', true],
    ['node_modules/@babel/core/package.json', true],
    ['usr/lib/node_modules/npm/node_modules/ms/package.json', true],
    ['app/node_modules/.pnpm/ms@2.1.3/node_modules/ms/package.json', true],
    ['home/test/app/node_modules/ms/package.json', true],
    ['app/node_modules/test/node_modules/ms/package.json', true],
    ['app/package.json', false],
    ['app/node_modules/package.json', false],
    ['app/node_modules/@babel/package.json', false],
    ['app/node_modules/ms/lib/package.json', false],
    ['app/node_modules/ms/package.json.bak', false],
    ['app/node_modules/resolve/test/resolver/node_modules/ms/package.json', false],
    ['app/node_modules/@x/y/fixtures/node_modules/ms/package.json', false],
    ['app/node_modules/typescript/vendor/vscode-jsonrpc/package.json', true],
    ['app/node_modules/@x/y/lib/third-party/@a/b/package.json', true],
    ['app/node_modules/y/vendor/package.json', false],
    ['app/node_modules/y/vendor/@a/package.json', false],
    ['app/node_modules/y/vendor/a/lib/package.json', false],
    ['app/node_modules/y/test/vendor/a/package.json', false],
    ['my_node_modules/ms/package.json', false],
  ])('says of %s: %s', (path, expected) => {
    expect(npm.matches(path, { size: 1, mode: 0o644 })).toBe(expected);
  });

  it('gives name and version as the manifest has them', () => {
    const manifest = '\uFEFF{"name":"@scope/Name","version":"1.0.0-rc.1","main":"x"}';
    expect(npm.catalog(fileOf(manifest))).toEqual({
      packages: [{ type: 'npm', name: '@scope/Name', version: '1.0.0-rc.1' }],
    });
  });

  it.each(['{"type":"module"}', '{"name":"a"}', '{"name":"","version":"1"}', '{"name":["a"],"version":1}'])(
    'finds no package in %s',
    (manifest) => {
      expect(npm.catalog(fileOf(manifest))).toEqual({ packages: [] });
    },
  );

  it.each(['', '{', 'null', '"text"'])('cannot read %j', (manifest) => {
    expect(() => npm.catalog(fileOf(manifest))).toThrow('the manifest is not a JSON object');
  });
});
