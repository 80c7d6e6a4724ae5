import { expect, it } from 'vitest';
import { compareGo, isGoVersion } from './go.ts';

const ascending = [
  'v0.0.0-20190308221718-c2843e01d9a2',
  'v0.0.0-20200220183623-bac4c82f6975',
  'v0.0.0',
  'v0.3.5',
  'v1.2.3-pre',
  'v1.2.3-pre.0.20230101000000-abcdefabcdef',
  'v1.2.3',
  'v1.2.4-0.20230101000000-abcdefabcdef',
  'v1.2.4',
  'v2.0.0+incompatible',
  'v2.0.1',
];

it.each(ascending.slice(1).map((newer, at) => [ascending[at] ?? '', newer]))(
  'takes %s for older than %s',
  (a, b) => {
    expect(compareGo(a, b)).toBeLessThan(0);
  },
);

it.each([
  ['v0.3.8', '0.3.8'],
  ['v2.0.0+incompatible', 'v2.0.0'],
  ['go1.22.3', '1.22.3'],
  ['go1.22', '1.22.0'],
  ['go1.23rc1', '1.23.0-rc.1'],
  ['1.23rc1', '1.23.0-rc.1'],
  ['1.22', 'go1.22.0'],
  ['go1.22.3 X:boringcrypto', '1.22.3'],
  ['go1.22.3-vendor', '1.22.3'],
])('takes %s for %s', (a, b) => {
  expect(compareGo(a, b)).toBe(0);
});

it('does not take the prerelease of a module for the name of who built Go', () => {
  expect(compareGo('v0.3.5-rc1', 'v0.3.5')).toBeLessThan(0);
  expect(compareGo('v0.3.5-rc1', 'v0.3.5-rc2')).toBeLessThan(0);
});

it('puts the candidates of a release before it and after the one before', () => {
  expect(compareGo('go1.23rc1', 'go1.23.0')).toBeLessThan(0);
  expect(compareGo('go1.23beta2', 'go1.23rc1')).toBeLessThan(0);
  expect(compareGo('go1.23beta1', 'go1.22.9')).toBeGreaterThan(0);
  expect(compareGo('go1.23rc1', '1.23.0-0')).toBeGreaterThan(0);
});

it.each(['', '(devel)', 'devel go1.24-0a1b2c3 Tue Jan 7', 'unknown'])(
  'does not take %j for a version',
  (text) => {
    expect(isGoVersion(text)).toBe(false);
  },
);
