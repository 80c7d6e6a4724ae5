import { expect, it } from 'vitest';
import { comparePep440 } from './pep440.ts';

const ascending = [
  'one-of-a-kind',
  '1.0.dev456',
  '1.0a1',
  '1.0a2.dev456',
  '1.0a12',
  '1.0b1',
  '1.0rc1',
  '1.0',
  '1.0+abc.5',
  '1.0+abc.7',
  '1.0+5',
  '1.0.post456.dev34',
  '1.0.post456',
  '1.1.dev1',
  '1.10',
  '1!0.1',
];

it.each(ascending.slice(1).map((newer, at) => [ascending[at] ?? '', newer]))(
  'takes %s for older than %s',
  (a, b) => {
    expect(comparePep440(a, b)).toBeLessThan(0);
    expect(comparePep440(b, a)).toBeGreaterThan(0);
  },
);

it.each([
  ['1.0', '1.0.0'],
  ['1.0-RC1', '1.0rc1'],
  ['v1.0', '1.0'],
  ['1.0-1', '1.0.post1'],
  [' 1.0 ', '1.0'],
])('takes %j and %j for the same', (a, b) => {
  expect(comparePep440(a, b)).toBe(0);
});

it('orders versions from before PEP 440 by their text, below all others', () => {
  expect(comparePep440('2004d', '2005e')).toBeLessThan(0);
  expect(comparePep440('2004d', '0.dev0')).toBeLessThan(0);
});
