import { findEcosystem } from './ecosystems/table.ts';
import { Field } from './fields.ts';

/** An advisory as the OSV schema 1.7 defines it (ossf.github.io/osv-schema), reduced to what judging packages needs. */
export interface Advisory {
  readonly id: string;
  /** Other ids of the same flaw. */
  readonly aliases: readonly string[];
  /** The flaws that a distribution's advisory deals with: one, or all that an update mends. */
  readonly upstream: readonly string[];
  readonly related: readonly string[];
  /** Times are RFC 3339 in UTC with milliseconds, so that they sort as texts. */
  readonly published: string | undefined;
  readonly modified: string;
  /** Set when the advisory was taken back; it then says nothing about any package. */
  readonly withdrawn: string | undefined;
  /** One line. */
  readonly summary: string;
  readonly severity: StatedSeverity;
  readonly affected: readonly Affected[];
}

/** What an advisory says about one package. */
export interface Affected {
  /** With its release where the ecosystem has releases: `Debian:12`. */
  readonly ecosystem: string;
  /** In the one spelling that the ecosystem's keys use. */
  readonly name: string;
  readonly ranges: readonly Range[];
  readonly versions: readonly string[];
  /** Goes before the severity of the whole advisory. */
  readonly severity: StatedSeverity;
}

/** Stretches of versions in the order of the ecosystem, told by the events at their ends. */
export interface Range {
  readonly events: readonly RangeEvent[];
}

export interface RangeEvent {
  readonly kind: EventKind;
  readonly version: string;
}

const eventKinds = ['introduced', 'fixed', 'last_affected', 'limit'] as const;
type EventKind = (typeof eventKinds)[number];

/** Severity in the words of the publisher. */
export interface StatedSeverity {
  readonly vectors: readonly SeverityVector[];
  /** `MODERATE`, `unimportant`: each database has its own words. */
  readonly word: string | undefined;
}

interface SeverityVector {
  readonly scheme: CvssScheme;
  readonly vector: string;
}

const cvssSchemes = ['CVSS_V2', 'CVSS_V3', 'CVSS_V4'] as const;
export type CvssScheme = (typeof cvssSchemes)[number];

/** Enough for a line in a table; nothing is decided by it. */
const MAX_SUMMARY_LENGTH = 300;

/**
 * Takes an OSV record as databases publish them. What is not known (range types, kinds of severity, fields of single
 * databases) is left out, and so is a severity or summary in a form that is not the schema's. Throws `record_invalid`
 * or `record_too_large`, with the record's id and the place in it, where anything else is not as the schema has it:
 * to guess which packages an advisory means is worse than to say that it cannot be read.
 */
export function parseAdvisory(json: unknown): Advisory {
  const id = Field.root('an advisory', json).get('id').text();
  const record = Field.root(id, json);
  return {
    id,
    aliases: record.get('aliases').texts(),
    upstream: record.get('upstream').texts(),
    related: record.get('related').texts(),
    published: timeIfAny(record.get('published')),
    modified: record.get('modified').time(),
    withdrawn: timeIfAny(record.get('withdrawn')),
    summary:
      record.get('summary').firstLine(MAX_SUMMARY_LENGTH) ||
      record.get('details').firstLine(MAX_SUMMARY_LENGTH),
    severity: statedSeverity(record, ['database_specific.severity']),
    affected: record.get('affected').list().flatMap(parseAffected),
  };
}

/** The zero time of Go programs, which some publishers write for "not yet", is no time. */
function timeIfAny(field: Field): string | undefined {
  if (field.isAbsent) return undefined;
  const time = field.time();
  return time.startsWith('0001-01-01') ? undefined : time;
}

/** Without a package the entry speaks of a repository's commits, and there is nothing to look it up by. */
function parseAffected(entry: Field): readonly Affected[] {
  const affected = entry.get('package');
  if (affected.isAbsent) return [];
  const ecosystem = affected.get('ecosystem').text();
  const name = affected.get('name').text();
  return [
    {
      ecosystem,
      name: findEcosystem(ecosystem)?.canonicalName(name) ?? name,
      ranges: entry.get('ranges').list().flatMap(parseRange),
      versions: entry.get('versions').texts(),
      severity: statedSeverity(entry, severityWords),
    },
  ];
}

const orderedRangeTypes: readonly string[] = ['SEMVER', 'ECOSYSTEM'];

/** Ranges of Git commits need the repository's history, so they are left out. */
function parseRange(range: Field): readonly Range[] {
  if (!orderedRangeTypes.includes(range.get('type').text())) return [];
  const events = range
    .get('events')
    .list()
    .flatMap((event) => eventKinds.flatMap((kind) => parseEvent(event, kind)));
  if (events.length === 0) return [];
  if (!events.some(({ kind }) => kind === 'introduced')) {
    range.get('events').fail('a list with an introduced event');
  }
  return [{ events }];
}

function parseEvent(event: Field, kind: EventKind): readonly RangeEvent[] {
  const version = event.get(kind);
  return version.isAbsent ? [] : [{ kind, version: version.text() }];
}

/** Where databases put their word for the severity in one package; the first that is there counts. */
const severityWords: readonly string[] = [
  'database_specific.severity',
  'ecosystem_specific.severity',
  'ecosystem_specific.urgency',
];

function statedSeverity(of: Field, wordPaths: readonly string[]): StatedSeverity {
  const vectors = of
    .find('severity')
    .listIfAny()
    .flatMap((stated) => {
      const type = stated.find('type').textIfAny();
      const scheme = cvssSchemes.find((each) => each === type);
      const vector = stated.find('score').textIfAny();
      return scheme === undefined || vector === undefined ? [] : [{ scheme, vector }];
    });
  const words = wordPaths.map((path) =>
    path
      .split('.')
      .reduce((field, key) => field.find(key), of)
      .textIfAny(),
  );
  return { vectors, word: words.find((word) => word !== undefined) };
}
