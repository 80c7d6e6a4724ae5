import fc from 'fast-check';
import { expect, it, vi } from 'vitest';
import type { StatedSeverity } from './osv.ts';
import { compareScores, type Score, severityOf } from './severity.ts';

const nothing: StatedSeverity = { vectors: [], word: undefined };
const word = (text: string): StatedSeverity => ({ vectors: [], word: text });

function vectors(...texts: readonly string[]): StatedSeverity {
  const scheme = (text: string) =>
    text.startsWith('CVSS:4') ? 'CVSS_V4' : text.startsWith('CVSS:3') ? 'CVSS_V3' : 'CVSS_V2';
  return { vectors: texts.map((vector) => ({ scheme: scheme(vector), vector })), word: undefined };
}

function score(ofAdvisory: StatedSeverity, ofPackage: StatedSeverity = nothing): Score {
  return severityOf({ severity: ofAdvisory }, { severity: ofPackage });
}

/** Scores as the calculators of FIRST and the NVD give them for these vectors. */
it.each([
  ['CVSS:3.1/AV:N/AC:L/PR:N/UI:N/S:U/C:H/I:H/A:H', 9.8, 'critical'],
  ['CVSS:3.1/AV:N/AC:L/PR:N/UI:N/S:C/C:H/I:H/A:H', 10, 'critical'],
  ['CVSS:3.0/AV:N/AC:L/PR:N/UI:N/S:C/C:H/I:N/A:N', 8.6, 'high'],
  ['CVSS:3.1/AV:N/AC:L/PR:N/UI:N/S:U/C:N/I:N/A:H', 7.5, 'high'],
  ['CVSS:3.1/AV:N/AC:H/PR:N/UI:R/S:C/C:H/I:L/A:N', 6.9, 'medium'],
  ['CVSS:3.1/AV:N/AC:L/PR:N/UI:R/S:C/C:L/I:L/A:N', 6.1, 'medium'],
  ['CVSS:3.1/AV:N/AC:H/PR:N/UI:N/S:U/C:N/I:L/A:N', 3.7, 'low'],
  ['CVSS:3.1/AV:N/AC:L/PR:N/UI:N/S:U/C:N/I:N/A:N', 0, 'low'],
  ['CVSS:3.1/AV:N/AC:L/PR:N/UI:N/S:U/C:H/I:H/A:H/E:U/RL:O/RC:U', 9.8, 'critical'],
  ['AV:N/AC:L/Au:N/C:P/I:P/A:P', 7.5, 'high'],
  ['AV:L/AC:L/Au:N/C:C/I:C/A:C', 7.2, 'high'],
  ['CVSS:4.0/AV:N/AC:L/AT:N/PR:N/UI:N/VC:H/VI:H/VA:H/SC:N/SI:N/SA:N', 9.3, 'critical'],
  ['CVSS:4.0/AV:N/AC:L/AT:N/PR:N/UI:N/VC:H/VI:H/VA:H/SC:N/SI:N/SA:N/E:P', 8.9, 'high'],
  ['CVSS:4.0/AV:N/AC:L/AT:P/PR:N/UI:P/VC:H/VI:H/VA:H/SC:N/SI:N/SA:N', 7.7, 'high'],
])('gives %s a score of %d, which is %s', (vector, cvss, severity) => {
  expect(score(vectors(vector))).toEqual({ severity, cvss });
});

it.each([
  '',
  '7.5',
  'constructor',
  'CVSS:3.1/',
  'CVSS:3.1/AV:N/AC:L',
  'CVSS:4.0/AV:N/AC:L',
  'CVSS:3.1/AV:N/AC:L/PR:N/UI:N/S:U/C:H/I:H/A:Q',
  'CVSS:3.1/AV:N/AC:L/PR:N/UI:N/S:U/C:H/I:H/A',
  'CVSS:9.9/AV:N/AC:L/Au:N/C:P/I:P/A:P',
])('knows nothing from %j, which is no vector', (text) => {
  expect(score({ vectors: [{ scheme: 'CVSS_V3', vector: text }], word: undefined })).toEqual({
    severity: 'unknown',
    cvss: undefined,
  });
});

it.each([
  ['CRITICAL', 'critical'],
  ['HIGH', 'high'],
  ['MODERATE', 'medium'],
  ['medium', 'medium'],
  ['low', 'low'],
  ['unimportant', 'low'],
  ['not yet assigned', 'unknown'],
  ['end-of-life', 'unknown'],
])('takes the word %s for %s', (text, severity) => {
  expect(score(word(text))).toEqual({ severity, cvss: undefined });
});

const [nine, six, four] = [
  'CVSS:3.1/AV:N/AC:L/PR:N/UI:N/S:U/C:H/I:H/A:H',
  'CVSS:3.1/AV:N/AC:L/PR:N/UI:R/S:C/C:L/I:L/A:N',
  'CVSS:4.0/AV:L/AC:L/AT:N/PR:L/UI:N/VC:N/VI:N/VA:L/SC:N/SI:N/SA:N/E:P',
];

it('reads version 3 before version 4, and both before version 2', () => {
  expect(score(vectors(four, nine)).cvss).toBe(9.8);
  expect(score(vectors('AV:N/AC:L/Au:N/C:P/I:P/A:P', four)).severity).toBe('low');
});

it('reads a vector before a word', () => {
  expect(score({ ...vectors(six), word: 'CRITICAL' })).toEqual({ severity: 'medium', cvss: 6.1 });
});

it('believes what is said of the package, and still gives the score of the flaw', () => {
  expect(score(vectors(nine), vectors(six))).toEqual({ severity: 'medium', cvss: 6.1 });
  expect(score(vectors(nine), word('unimportant'))).toEqual({ severity: 'low', cvss: 9.8 });
  expect(score(vectors(nine), word('not yet assigned'))).toEqual({ severity: 'critical', cvss: 9.8 });
});

it('sorts the worst first', () => {
  const sorted: readonly Score[] = [
    { severity: 'critical', cvss: 9.8 },
    { severity: 'critical', cvss: undefined },
    { severity: 'high', cvss: 8.1 },
    { severity: 'low', cvss: 9.8 },
    { severity: 'unknown', cvss: undefined },
  ];
  expect(sorted.toReversed().toSorted(compareScores)).toEqual(sorted);
});

it('gives every text a score from 0 to 10 or none, and says nothing on the console', () => {
  const part = fc.constantFrom(
    ...'CVSS 3.1 4.0 AV AC AT PR UI S C I A VC VI VA SC SI SA Au N L H U P X : / toString'.split(' '),
  );
  const complete = fc
    .tuple(...['AV NALP', 'AC LH', 'PR NLH', 'UI NR', 'S UC', 'C NLH', 'I NLH', 'A NLH'].map(metric))
    .map((metrics) => `CVSS:3.1/${metrics.join('/')}`);
  const complaints = ['log', 'warn', 'error', 'info', 'debug'] as const;
  const spies = complaints.map((method) => vi.spyOn(console, method));
  fc.assert(
    fc.property(
      fc.oneof(
        fc.array(part, { maxLength: 30 }).map((parts) => parts.join('')),
        complete,
      ),
      (text) => {
        const { cvss } = score(vectors(text));
        if (cvss !== undefined) expect(cvss >= 0 && cvss <= 10).toBe(true);
      },
    ),
    { numRuns: 2000 },
  );
  for (const spy of spies) {
    expect(spy).not.toHaveBeenCalled();
    spy.mockRestore();
  }
});

function metric(text: string): fc.Arbitrary<string> {
  const [name, values = ''] = text.split(' ');
  return fc.constantFrom(...values).map((value) => `${name}:${value}`);
}
