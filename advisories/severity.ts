import cvss from 'ae-cvss-calculator';
import type { Advisory, Affected, CvssScheme, StatedSeverity } from './osv.ts';

/** From the worst on; `unknown` where nobody has said anything. */
export const severities = ['critical', 'high', 'medium', 'low', 'unknown'] as const;
export type Severity = (typeof severities)[number];

export interface Score {
  readonly severity: Severity;
  /** 0 to 10, if there is a vector. */
  readonly cvss: number | undefined;
}

/**
 * How bad the flaw is in the package of the entry. What is said of the package counts before what is said of the flaw,
 * and a vector before a word. A distribution that calls a flaw unimportant in its build is thus believed, while the
 * score of the flaw is still given.
 */
export function severityOf(
  advisory: Pick<Advisory, 'severity'>,
  affected: Pick<Affected, 'severity'>,
): Score {
  const statements = [affected.severity, advisory.severity].map(read);
  return {
    severity: statements.find(({ severity }) => severity !== 'unknown')?.severity ?? 'unknown',
    cvss: statements.find((statement) => statement.cvss !== undefined)?.cvss,
  };
}

/** Negative if `a` is worse than `b`: first by severity, then by score. */
export function compareScores(a: Score, b: Score): number {
  return severities.indexOf(a.severity) - severities.indexOf(b.severity) || (b.cvss ?? -1) - (a.cvss ?? -1);
}

/**
 * Version 3 first although 4 is newer: nearly all records have a vector of version 3, a minority has one of version 4
 * beside it, and thresholds only make sense on one scale.
 */
const preferredSchemes: readonly CvssScheme[] = ['CVSS_V3', 'CVSS_V4', 'CVSS_V2'];

function read(stated: StatedSeverity): Score {
  const score = preferredSchemes
    .flatMap((scheme) => stated.vectors.filter((each) => each.scheme === scheme))
    .map(({ vector }) => scoreOf(vector))
    .find((each) => each !== undefined);
  return { severity: score === undefined ? wordSeverity(stated.word) : rating(score), cvss: score };
}

/** By the beginning of their vectors; those of version 2 have none. */
const calculators = [
  { prefix: 'CVSS:3.1/', Vector: cvss.Cvss3P1 },
  { prefix: 'CVSS:3.0/', Vector: cvss.Cvss3P0 },
  { prefix: 'CVSS:4.0/', Vector: cvss.Cvss4P0 },
  { prefix: '', Vector: cvss.Cvss2 },
] as const;

/** Of metrics that are not of this form the library complains on the console, so it does not get to see them. */
const metrics = /^(?:[A-Za-z]{1,4}:[A-Za-z]{1,6}(?:\/|$))+$/;

/**
 * The base score of versions 2 and 3, and the score of version 4, which has but one over all metrics that are given
 * (first.org/cvss). Undefined for a text that is not a complete vector.
 */
function scoreOf(text: string): number | undefined {
  const calculator = calculators.find(({ prefix }) => text.startsWith(prefix));
  if (calculator === undefined || !metrics.test(text.slice(calculator.prefix.length))) return undefined;
  try {
    const vector = new calculator.Vector(text);
    return vector.isBaseFullyDefined() ? vector.calculateScores().base : undefined;
  } catch {
    // The library knows no other way to say that a metric does not have such a value.
    return undefined;
  }
}

/** The qualitative scale of CVSS 3 and 4; a score of 0 is not unknown but known to be harmless. */
const leastScores: readonly (readonly [number, Severity])[] = [
  [9, 'critical'],
  [7, 'high'],
  [4, 'medium'],
  [0, 'low'],
];

function rating(score: number): Severity {
  return leastScores.find(([least]) => score >= least)?.[1] ?? 'unknown';
}

/** The words of the GitHub Advisory Database and the urgencies of Debian's tracker. */
const words: ReadonlyMap<string, Severity> = new Map([
  ['critical', 'critical'],
  ['high', 'high'],
  ['moderate', 'medium'],
  ['medium', 'medium'],
  ['low', 'low'],
  ['unimportant', 'low'],
]);

function wordSeverity(word: string | undefined): Severity {
  return words.get(word?.toLowerCase() ?? '') ?? 'unknown';
}
