import { compareDigits, compareText } from './order.ts';

interface SemanticVersion {
  /** Major, minor, patch. */
  readonly numbers: readonly [string, string, string];
  /** Absent for a release. */
  readonly prerelease: readonly string[] | undefined;
}

/**
 * The order of semver.org 2.0.0, clause 11, for numbers of any length. Build metadata does not count. Taken more
 * leniently than clause 2 asks, as npm and Go do with what has been published: a leading `v` or `=`, missing minor and
 * patch numbers, and a prerelease without its hyphen (`1.2.3beta`).
 */
export function compareSemver(a: string, b: string): number {
  const left = parse(a);
  const right = parse(b);
  if (left === undefined || right === undefined) {
    return Number(left !== undefined) - Number(right !== undefined) || compareText(a, b);
  }
  return compareNumbers(left.numbers, right.numbers) || comparePrereleases(left.prerelease, right.prerelease);
}

/** Whether the text is a version, in the lenient sense of the order. */
export function isSemver(text: string): boolean {
  return pattern.test(text);
}

const pattern =
  /^[v=\s]*(\d+)(?:\.(\d+))?(?:\.(\d+))?(?:-([0-9A-Za-z.-]+)|([A-Za-z][0-9A-Za-z.-]*))?(?:\+[0-9A-Za-z.-]*)?\s*$/;

function parse(text: string): SemanticVersion | undefined {
  const match = pattern.exec(text);
  if (match === null) return undefined;
  const [, major = '', minor = '', patch = '', afterHyphen, attached] = match;
  return { numbers: [major, minor, patch], prerelease: (afterHyphen ?? attached)?.split('.') };
}

function compareNumbers(a: SemanticVersion['numbers'], b: SemanticVersion['numbers']): number {
  return compareDigits(a[0], b[0]) || compareDigits(a[1], b[1]) || compareDigits(a[2], b[2]);
}

/** A release is newer than its prereleases; of two prereleases with the same beginning the longer one is newer. */
function comparePrereleases(a: readonly string[] | undefined, b: readonly string[] | undefined): number {
  if (a === undefined || b === undefined) return Number(a === undefined) - Number(b === undefined);
  for (const [at, identifier] of a.entries()) {
    const other = b[at];
    if (other === undefined) return 1;
    const difference = compareIdentifiers(identifier, other);
    if (difference !== 0) return difference;
  }
  return a.length - b.length;
}

/** Numbers by their value, words by ASCII, and every number before every word. */
function compareIdentifiers(a: string, b: string): number {
  const [aIsNumber, bIsNumber] = [/^\d+$/.test(a), /^\d+$/.test(b)];
  if (aIsNumber && bIsNumber) return compareDigits(a, b);
  return Number(bIsNumber) - Number(aIsNumber) || compareText(a, b);
}
