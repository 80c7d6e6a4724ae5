import { type Static, type TProperties, type TSchema, Type } from 'typebox';
import { Compile } from 'typebox/compile';
import { Value } from 'typebox/value';
import { PolicyError } from './errors.ts';

/** From the worst to the least, then what nobody has rated. */
export const severities = ['critical', 'high', 'medium', 'low', 'unknown'] as const;
export type Severity = (typeof severities)[number];

/** A verdict names no more findings than this; a policy needs the worst, and the core has all of them. */
export const MAX_VERDICT_FINDINGS = 20;

/** `ready`: every layer was read; `partial`: some could not be; `failed`: none could. */
const State = Type.Enum(['ready', 'partial', 'failed']);
const SeverityName = Type.Enum([...severities]);
const Count = Type.Integer({ minimum: 0, default: 0 });
const orNull = <Schema extends TSchema>(schema: Schema) =>
  Type.Union([schema, Type.Null()], { default: null });
/** An object of which everything may be left out. */
const optionalObject = <Properties extends TProperties>(properties: Properties) =>
  Type.Object(properties, { default: {} });
const Counts = optionalObject({ critical: Count, high: Count, medium: Count, low: Count, unknown: Count });

/** A vulnerability in a package of an image. */
export const VerdictFindingSchema = Type.Object({
  id: Type.String(),
  aliases: Type.Array(Type.String(), { default: [] }),
  purl: Type.String(),
  severity: Type.Enum([...severities], { default: 'unknown' }),
  cvss: orNull(Type.Number()),
  fixedIn: orNull(Type.String()),
  knownExploited: Type.Boolean({ default: false }),
  published: orNull(Type.String()),
  /** A container was seen to run a file of the package; false says nothing, least of all that it is safe. */
  loaded: Type.Boolean({ default: false }),
});

/** What the core thinks of an image, as policies read it. Null is for Rego, which has no undefined in its input. */
export const VerdictSchema = Type.Object({
  state: State,
  revision: Count,
  asOf: optionalObject({ sbom: orNull(Type.String()), feeds: orNull(Type.String()) }),
  /** Findings in force, and those of them that a newer version of the package ends. */
  counts: Counts,
  fixable: Counts,
  knownExploited: Count,
  malware: Count,
  waived: Count,
  os: optionalObject({
    id: orNull(Type.String()),
    versionId: orNull(Type.String()),
    /** The last day of corrections by its makers, as YYYY-MM-DD; it may be over, or years ahead. */
    endOfLife: orNull(Type.String()),
  }),
  attestations: Type.Array(Type.Record(Type.String(), Type.Unknown()), { default: [] }),
  /** The worst ones, from the worst on. */
  findings: Type.Array(VerdictFindingSchema, { default: [], maxItems: MAX_VERDICT_FINDINGS }),
});

export type Verdict = Static<typeof VerdictSchema>;
export type VerdictFinding = Static<typeof VerdictFindingSchema>;
export type VerdictState = Static<typeof State>;
export type SeverityCounts = Record<Static<typeof SeverityName>, number>;

const validator = Compile(VerdictSchema);

/**
 * The verdict that a JSON value says. What is absent counts as zero, empty or null; what is there must be of the
 * right type, else PolicyError `verdict_invalid`. The value is filled in place.
 */
export function parseVerdict(value: unknown): Verdict {
  const verdict = Value.Default(VerdictSchema, value);
  if (validator.Check(verdict)) return verdict;
  const [problem] = validator.Errors(verdict);
  throw new PolicyError(
    'verdict_invalid',
    `a verdict is not valid at ${problem?.instancePath || '/'}: ${problem?.message}`,
  );
}
