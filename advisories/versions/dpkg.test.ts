import { expect, it } from 'vitest';
import { compareDpkg } from './dpkg.ts';

/** Each is older than the next; the rules are those of deb-version(7). */
const ascending = [
  '0~~',
  '0~',
  '0',
  '1.0~beta1~svn1245',
  '1.0~beta1',
  '1.0',
  '1.0-0.1',
  '1.0-1~bpo12+1',
  '1.0-1',
  '1.0-1+b1',
  '1.0-1+deb12u1',
  '1.0-1+deb12u9',
  '1.0-1+deb12u10',
  '1.0-2',
  '1.0a',
  '1.0aa',
  '1.0b',
  '1.0+dfsg',
  '1.0.1',
  '1.2.3-3',
  '1.10',
  '20240101000000000001',
  '20240101000000000002',
  '1:0.1',
  '2:0',
];

it.each(ascending.slice(1).map((newer, at) => [ascending[at] ?? '', newer]))(
  'takes %s for older than %s',
  (a, b) => {
    expect(compareDpkg(a, b)).toBeLessThan(0);
    expect(compareDpkg(b, a)).toBeGreaterThan(0);
  },
);

it.each([
  ['1.0', '1.0-0'],
  ['1.0', '0:1.0'],
  ['1.0-1', '1.00-01'],
  ['', '0'],
])('takes %j and %j for the same', (a, b) => {
  expect(compareDpkg(a, b)).toBe(0);
});

it('takes the last hyphen for the beginning of the revision', () => {
  expect(compareDpkg('1.0-1-1', '1.0+1-1')).toBeGreaterThan(0);
  expect(compareDpkg('1.0-1', '1.0+1-1')).toBeLessThan(0);
});
