import { execFileSync, spawnSync } from 'node:child_process';
import { compareVersions } from '@gatehouse/advisories';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { need } from '../harness/tools.ts';

type Pair = readonly [string, string];

const PAIR_COUNT = 20_000;
/** Each pair is a process of its own. */
const PROCESS_COUNT = 300;

/** Of two versions the second is often the first with a small change, since that is where orders go wrong. */
function pairsOf(version: fc.Arbitrary<string>, piece: fc.Arbitrary<string>, count: number): readonly Pair[] {
  const near = fc.tuple(version, fc.nat(), piece).map(([text, at, inserted]): Pair => {
    const cut = at % (text.length + 1);
    return [text, text.slice(0, cut) + inserted + text.slice(cut)];
  });
  return fc.sample(fc.oneof(fc.tuple(version, version), near), count);
}

function succeeds(program: string, ...args: readonly string[]): boolean {
  return spawnSync(program, args).status === 0;
}

function ours(ecosystem: string, pairs: readonly Pair[]): readonly string[] {
  return pairs.map(([a, b]) => `${a} ${b} ${Math.sign(compareVersions(ecosystem, a, b))}`);
}

/** Asks a program that reads pairs from its input and prints each with -1, 0 or 1. */
function oracle(command: readonly [string, ...string[]], pairs: readonly Pair[]): readonly string[] {
  const [program, ...args] = command;
  const input = pairs.map((pair) => pair.join(' ')).join('\n');
  return execFileSync(program, args, { input, encoding: 'utf8', maxBuffer: 2 ** 26 })
    .trimEnd()
    .split('\n');
}

describe('the order of Debian versions', () => {
  const digits = fc.stringMatching(/^[0-9]{1,3}$/);
  const piece = fc.constantFrom(...'0 1 9 10 007 . + ~ - a b Z deb rc'.split(' '));
  const upstream = fc
    .tuple(digits, fc.array(piece, { maxLength: 5 }))
    .map(([first, rest]) => first + rest.join(''));
  const revision = fc.array(piece, { minLength: 1, maxLength: 4 }).map((pieces) => pieces.join(''));
  const version = fc
    .tuple(fc.option(digits, { nil: undefined }), upstream, fc.option(revision, { nil: undefined }))
    .map(([epoch, main, rest]) => [epoch && `${epoch}:`, main, rest && `-${rest}`].join(''));

  /** What dpkg refuses has no place in its order. */
  const isTaken = (text: string): boolean =>
    /^(?:\d{1,4}:)?\d(?:[0-9A-Za-z.+~-]*[0-9A-Za-z.+~])?$/.test(text);
  const takenPairs = (count: number): readonly Pair[] =>
    pairsOf(version, piece, count).filter((pair) => pair.every(isTaken));

  it("is that of dpkg's own library", async () => {
    const library = (await need('dpkg-perl'))['dpkg-perl'];
    const script = `use Dpkg::Version; while (<STDIN>) { chomp; my ($a, $b) = split / /;
      print "$a $b ", version_compare($a, $b), "\\n"; }`;
    const pairs = takenPairs(PAIR_COUNT);
    expect(ours('Debian:12', pairs)).toEqual(oracle(['perl', `-I${library}`, '-e', script], pairs));
  });

  it('is that of dpkg --compare-versions', () => {
    const holds = ([a, b]: Pair, relation: string): boolean =>
      succeeds('dpkg', '--compare-versions', a, relation, b);
    for (const pair of takenPairs(PROCESS_COUNT)) {
      const order = Math.sign(compareVersions('Debian:12', ...pair));
      const relation = ['lt', 'eq', 'gt'][order + 1] ?? '';
      expect([pair, relation, holds(pair, relation)]).toEqual([pair, relation, true]);
    }
  });
});

describe('the order of Python versions', () => {
  const number = fc.nat({ max: 12 }).map(String);
  const release = fc.array(number, { minLength: 1, maxLength: 4 }).map((numbers) => numbers.join('.'));
  const part = (words: string): fc.Arbitrary<string> =>
    fc.oneof(
      fc.constant(''),
      fc
        .tuple(
          fc.constantFrom('', '.', '-', '_'),
          fc.constantFrom(...words.split(' ')),
          fc.option(number, { nil: '' }),
        )
        .map((pieces) => pieces.join('')),
    );
  const local = fc.array(fc.oneof(number, fc.constantFrom('abc', 'ubuntu')), { minLength: 1, maxLength: 3 });
  const version = fc
    .tuple(
      fc.constantFrom('', '', 'v', '1!'),
      release,
      part('a b c rc alpha beta pre preview A RC'),
      part('post rev r'),
      part('dev'),
      fc.option(local, { nil: undefined }),
    )
    .map(([start, numbers, pre, post, dev, suffix]) =>
      [start, numbers, pre, post, dev, suffix && `+${suffix.join('.')}`].join(''),
    );

  it("is that of pip's own library, and what it refuses is below all that it takes", async () => {
    await need('pip');
    const script = `
import sys
try:
    from packaging.version import Version, InvalidVersion
except ImportError:
    from pip._vendor.packaging.version import Version, InvalidVersion
def parse(text):
    try: return (1, Version(text))
    except InvalidVersion: return (0, text)
for line in sys.stdin:
    a, b = line.rstrip("\\n").split(" ")
    left, right = parse(a), parse(b)
    print(a, b, (left > right) - (left < right))`;
    const pairs = pairsOf(version, fc.constantFrom('0', '1', '.', 'a', 'dev', '-'), PAIR_COUNT);
    expect(ours('PyPI', pairs)).toEqual(oracle(['python3', '-c', script], pairs));
  });
});
