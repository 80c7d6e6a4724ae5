import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { compareDpkg } from './dpkg.ts';
import { compareGo } from './go.ts';
import { compareDigits, type VersionOrder } from './order.ts';
import { comparePep440 } from './pep440.ts';
import { compareSemver } from './semver.ts';

/** Pieces that versions are made of: put together at random they come near each other, and are often no versions. */
const piece = fc.constantFrom(
  ...['0', '1', '2', '10', '007', '9007199254740993', '.', '-', '+', '~', ':', '!', 'v', 'go'],
  ...['a', 'b', 'rc', 'alpha', 'beta', 'dev', 'post', 'x'],
);
const text = fc.array(piece, { maxLength: 9 }).map((pieces) => pieces.join(''));

const orders: Readonly<Record<string, VersionOrder>> = {
  dpkg: compareDpkg,
  semver: compareSemver,
  pep440: comparePep440,
  go: compareGo,
};

describe.each(Object.entries(orders))('the order of %s', (_name, compare) => {
  it('takes a version for the same as itself', () => {
    fc.assert(
      fc.property(text, (a) => {
        expect(compare(a, a)).toBe(0);
      }),
    );
  });

  it('gives the opposite answer when asked the other way round', () => {
    fc.assert(
      fc.property(text, text, (a, b) => {
        expect(Math.sign(compare(a, b)) + Math.sign(compare(b, a))).toBe(0);
      }),
      { numRuns: 2000 },
    );
  });

  it('is transitive', () => {
    fc.assert(
      fc.property(text, text, text, (a, b, c) => {
        if (compare(a, b) <= 0 && compare(b, c) <= 0) expect(compare(a, c)).toBeLessThanOrEqual(0);
        if (compare(a, b) === 0) expect(Math.sign(compare(a, c))).toBe(Math.sign(compare(b, c)));
      }),
      { numRuns: 5000 },
    );
  });
});

describe('digits', () => {
  it('are compared as numbers of any length', () => {
    fc.assert(
      fc.property(
        fc.bigInt({ min: 0n, max: 10n ** 40n }),
        fc.bigInt({ min: 0n, max: 10n ** 40n }),
        (a, b) => {
          expect(Math.sign(compareDigits(`00${a}`, `${b}`))).toBe(a === b ? 0 : a < b ? -1 : 1);
        },
      ),
    );
  });
});
