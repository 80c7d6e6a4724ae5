import { compareDigits } from './order.ts';

/**
 * The order of Debian package versions, `[epoch:]upstream[-revision]`, as deb-version(7) defines it and
 * `dpkg --compare-versions` decides it. An absent epoch counts as 0, and so does an absent revision.
 */
export function compareDpkg(a: string, b: string): number {
  const left = split(a);
  const right = split(b);
  return (
    compareDigits(left.epoch, right.epoch) ||
    comparePart(left.upstream, right.upstream) ||
    comparePart(left.revision, right.revision)
  );
}

/** The epoch ends at the first colon, the revision begins after the last hyphen. */
function split(version: string): { epoch: string; upstream: string; revision: string } {
  const epoch = /^(\d+):/.exec(version)?.[1];
  const rest = epoch === undefined ? version : version.slice(epoch.length + 1);
  const hyphen = rest.lastIndexOf('-');
  return {
    epoch: epoch ?? '',
    upstream: hyphen < 0 ? rest : rest.slice(0, hyphen),
    revision: hyphen < 0 ? '' : rest.slice(hyphen + 1),
  };
}

/** Runs of non-digits and runs of digits are compared in turn until one pair differs. */
function comparePart(a: string, b: string): number {
  let left = a;
  let right = b;
  while (left !== '' || right !== '') {
    const [leftWord, rightWord] = [/^\D*/.exec(left)?.[0] ?? '', /^\D*/.exec(right)?.[0] ?? ''];
    const byWord = compareWords(leftWord, rightWord);
    if (byWord !== 0) return byWord;
    left = left.slice(leftWord.length);
    right = right.slice(rightWord.length);
    const [leftDigits, rightDigits] = [/^\d*/.exec(left)?.[0] ?? '', /^\d*/.exec(right)?.[0] ?? ''];
    const byNumber = compareDigits(leftDigits, rightDigits);
    if (byNumber !== 0) return byNumber;
    left = left.slice(leftDigits.length);
    right = right.slice(rightDigits.length);
  }
  return 0;
}

function compareWords(a: string, b: string): number {
  for (let at = 0; at < Math.max(a.length, b.length); at++) {
    const difference = weight(a, at) - weight(b, at);
    if (difference !== 0) return difference;
  }
  return 0;
}

/** More than any UTF-16 code unit, so that all letters come before all that is not a letter. */
const AFTER_LETTERS = 0x1_0000;

/** A tilde sorts before the end of the word, the end before letters, and letters before everything else. */
function weight(word: string, at: number): number {
  const character = word[at];
  if (character === undefined) return 0;
  if (character === '~') return -1;
  const code = character.charCodeAt(0);
  return /[A-Za-z]/.test(character) ? code : code + AFTER_LETTERS;
}
