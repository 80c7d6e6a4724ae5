import type { PackageKey } from './ecosystems/ecosystem.ts';
import { findEcosystem } from './ecosystems/table.ts';
import type { Advisory, Affected, Range, RangeEvent } from './osv.ts';
import type { VersionOrder } from './versions/order.ts';

/** Why a version is affected, and what would end that. */
export interface Match {
  /** The entry of the advisory that holds the version. */
  readonly affected: Affected;
  /** The range of that entry that holds the version; undefined if its list of versions names it. */
  readonly range: Range | undefined;
  /** The first version from this one on that the advisory names as fixed and does not hold again. */
  readonly fixedIn: string | undefined;
}

/**
 * Whether the advisory holds the package, by the evaluation that the OSV schema defines: some entry for the package
 * lists the version, or one of its ranges spans it. A withdrawn advisory holds nothing, and neither does one for
 * another release of the ecosystem or for no release at all.
 */
export function matchAdvisory(
  advisory: Pick<Advisory, 'withdrawn' | 'affected'>,
  key: PackageKey,
): Match | undefined {
  const compare = findEcosystem(key.ecosystem)?.compare;
  if (compare === undefined || advisory.withdrawn !== undefined) return undefined;
  const entries = advisory.affected.filter(
    ({ ecosystem, name }) => ecosystem === key.ecosystem && name === key.name,
  );
  const held = firstHolding(entries, key.version, compare);
  return held && { ...held, fixedIn: firstFix(entries, held, key.version, compare) };
}

type Holding = Pick<Match, 'affected' | 'range'>;

/** Ranges before lists, since a range also says what ends it. */
function firstHolding(
  entries: readonly Affected[],
  version: string,
  compare: VersionOrder,
): Holding | undefined {
  for (const affected of entries) {
    const range = affected.ranges.find((each) => spans(each, version, compare));
    if (range !== undefined) return { affected, range };
  }
  const affected = entries.find((entry) => lists(entry, version, compare));
  return affected && { affected, range: undefined };
}

/**
 * A list beside ranges is the ranges written out, so its spelling is taken as it is; to compare each of thousands of
 * versions would cost a hundred times as much. A list alone is compared by the order, which takes 1.0 for 1.0.0.
 */
function lists(entry: Affected, version: string, compare: VersionOrder): boolean {
  if (entry.versions.includes(version)) return true;
  return entry.ranges.length === 0 && entry.versions.some((each) => compare(each, version) === 0);
}

/** Where a range starts that has always been affected: before every version, even before `0~rc1` and `0.0.0-alpha`. */
const BEGINNING = '0';

/** The limit that excludes nothing. */
const NO_LIMIT = '*';

function spans(range: Range, version: string, compare: VersionOrder): boolean {
  return isWithinLimits(range, version, compare) && lastEvent(range, version, compare)?.kind === 'introduced';
}

/** Limits are no events in the life of a flaw: a version below any of them is within. */
function isWithinLimits({ events }: Range, version: string, compare: VersionOrder): boolean {
  const limits = events.filter(({ kind }) => kind === 'limit').map((limit) => limit.version);
  return limits.length === 0 || limits.some((limit) => limit === NO_LIMIT || compare(version, limit) < 0);
}

/**
 * The last event that has happened to the version decides its state, so the events need no sorting. Of two at the
 * same version the later in the record counts: databases write both `fixed 2, introduced 2` (affected on both sides)
 * and `introduced 2, fixed 2` (nothing is affected).
 */
function lastEvent(range: Range, version: string, compare: VersionOrder): RangeEvent | undefined {
  let last: RangeEvent | undefined;
  for (const event of range.events) {
    if (event.kind === 'limit' || !hasHappened(event, version, compare)) continue;
    if (last === undefined || compareEvents(event, last, compare) >= 0) last = event;
  }
  return last;
}

/** A version is introduced or fixed itself, but the last affected one is still affected. */
function hasHappened(event: RangeEvent, version: string, compare: VersionOrder): boolean {
  if (isBeginning(event)) return true;
  const order = compare(version, event.version);
  return event.kind === 'last_affected' ? order > 0 : order >= 0;
}

function compareEvents(a: RangeEvent, b: RangeEvent, compare: VersionOrder): number {
  if (isBeginning(a) || isBeginning(b)) return Number(isBeginning(b)) - Number(isBeginning(a));
  return compare(a.version, b.version);
}

function isBeginning({ kind, version }: RangeEvent): boolean {
  return kind === 'introduced' && version === BEGINNING;
}

/**
 * Follows the fixes: the one that ends the range, then, as long as another range holds that version too, the one that
 * ends that range. Each is newer than the one before, so it comes to an end.
 */
function firstFix(
  entries: readonly Affected[],
  held: Holding,
  version: string,
  compare: VersionOrder,
): string | undefined {
  let holding: Holding | undefined = held;
  let reached = version;
  while (holding !== undefined) {
    const fix: string | undefined = holding.range && fixThatEnds(holding.range, reached, compare);
    if (fix === undefined) return undefined;
    reached = fix;
    holding = firstHolding(entries, reached, compare);
  }
  return reached;
}

/** The next event that ends the range, if that is a fix; after a last affected version nobody has said what is safe. */
function fixThatEnds({ events }: Range, version: string, compare: VersionOrder): string | undefined {
  let next: RangeEvent | undefined;
  for (const event of events) {
    if (event.kind === 'introduced' || event.version === NO_LIMIT) continue;
    if (hasHappened(event, version, compare)) continue;
    if (next === undefined || compareEvents(event, next, compare) < 0) next = event;
  }
  return next?.kind === 'fixed' ? next.version : undefined;
}
