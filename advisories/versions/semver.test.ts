import fc from 'fast-check';
import { compare } from 'semver';
import { expect, it } from 'vitest';
import { compareSemver, isSemver } from './semver.ts';

/** From clause 11 of the specification, and what it follows for numbers that no JavaScript number holds. */
const ascending = [
  '0.0.0-alpha',
  '0.0.0',
  '1.0.0-0',
  '1.0.0-alpha',
  '1.0.0-alpha.1',
  '1.0.0-alpha.beta',
  '1.0.0-beta',
  '1.0.0-beta.2',
  '1.0.0-beta.11',
  '1.0.0-rc.1',
  '1.0.0',
  '1.0.9007199254740992',
  '1.0.9007199254740993',
  '1.2.0',
  '1.10.0',
];

it.each(ascending.slice(1).map((newer, at) => [ascending[at] ?? '', newer]))(
  'takes %s for older than %s',
  (a, b) => {
    expect(compareSemver(a, b)).toBeLessThan(0);
    expect(compareSemver(b, a)).toBeGreaterThan(0);
  },
);

it.each([
  ['1.2.3+build.1', '1.2.3+build.2'],
  ['v1.2.3', '1.2.3'],
  ['=1.2.3', '1.2.3'],
  ['1.2', '1.2.0'],
  ['1', '1.0.0'],
  ['1.2.3beta', '1.2.3-beta'],
])('takes %s and %s for the same', (a, b) => {
  expect(compareSemver(a, b)).toBe(0);
});

it.each(['', 'latest', '1.2.3.4', '1.2.x', '1.2.3-', 'workspace:*'])(
  'places %j below every version',
  (text) => {
    expect(isSemver(text)).toBe(false);
    expect(compareSemver(text, '0.0.0-0')).toBeLessThan(0);
  },
);

const number = fc.nat({ max: 12 }).map(String);
const identifier = fc.oneof(number, fc.constantFrom('a', 'alpha', 'beta', 'rc', 'x-1', '0a'));
const version = fc
  .tuple(fc.tuple(number, number, number), fc.array(identifier, { maxLength: 3 }), fc.boolean())
  .map(([numbers, prerelease, built]) => {
    const suffix = prerelease.length === 0 ? '' : `-${prerelease.join('.')}`;
    return `${numbers.join('.')}${suffix}${built ? '+build' : ''}`;
  });

it('agrees with the library that npm itself uses', () => {
  fc.assert(
    fc.property(version, version, (a, b) => {
      expect(Math.sign(compareSemver(a, b))).toBe(compare(a, b));
    }),
    { numRuns: 5000 },
  );
});
