/**
 * A total order of the version texts of one ecosystem: negative if `a` is older than `b`, positive if it is newer,
 * and 0 if the ecosystem takes them for the same version. Never throws: what is not a version of the ecosystem
 * has its place in the order too, below all that are.
 */
export type VersionOrder = (a: string, b: string) => number;

/** By code unit, the same on every machine and in every locale. */
export function compareText(a: string, b: string): number {
  if (a === b) return 0;
  return a < b ? -1 : 1;
}

/**
 * Two texts of decimal digits by their number, however many digits there are: versions made of dates and build
 * numbers leave the 2^53 of a JavaScript number behind. The empty text counts as zero.
 */
export function compareDigits(a: string, b: string): number {
  const left = withoutLeadingZeros(a);
  const right = withoutLeadingZeros(b);
  return left.length - right.length || compareText(left, right);
}

function withoutLeadingZeros(digits: string): string {
  return digits.startsWith('0') ? digits.replace(/^0+/, '') : digits;
}
