import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { matchAdvisory } from './match.ts';
import { type Advisory, parseAdvisory } from './osv.ts';

type Events = readonly Readonly<Record<string, string>>[];
interface Entry {
  readonly ecosystem?: string;
  readonly name?: string;
  readonly ranges?: readonly Events[];
  readonly versions?: readonly string[];
}

function advisory(...entries: readonly Entry[]): Advisory {
  return parseAdvisory({
    id: 'X-1',
    modified: '2024-05-01T10:00:00Z',
    affected: entries.map(({ ecosystem = 'npm', name = 'left', ranges = [], versions = [] }) => ({
      package: { ecosystem, name },
      ranges: ranges.map((events) => ({ type: 'ECOSYSTEM', events })),
      versions,
    })),
  });
}

/** The fix where the version is held, `no fix` where it is held without one, `safe` where it is not held. */
function judge(record: Advisory, version: string, key: { ecosystem?: string; name?: string } = {}): string {
  const match = matchAdvisory(record, { ecosystem: 'npm', name: 'left', ...key, version });
  return match === undefined ? 'safe' : (match.fixedIn ?? 'no fix');
}

describe('a range', () => {
  const twoLines = advisory({
    ranges: [[{ introduced: '1.0.0' }, { fixed: '1.4.2' }, { introduced: '2.0.0' }, { fixed: '2.1.0' }]],
  });

  it.each([
    ['0.9.9', 'safe'],
    ['1.0.0-rc.1', 'safe'],
    ['1.0.0', '1.4.2'],
    ['1.4.2-rc.1', '1.4.2'],
    ['1.4.2', 'safe'],
    ['1.9.0', 'safe'],
    ['2.0.0', '2.1.0'],
    ['2.1.0', 'safe'],
  ])('says of %s: %s', (version, verdict) => {
    expect(judge(twoLines, version)).toBe(verdict);
  });

  it('starts before every version if it is introduced in 0', () => {
    const always = advisory({ ranges: [[{ introduced: '0' }, { fixed: '1.0.0' }]] });
    expect(judge(always, '0.0.0-alpha')).toBe('1.0.0');
    const debian = advisory({ ecosystem: 'Debian:12', ranges: [[{ introduced: '0' }, { fixed: '0~' }]] });
    expect(judge(debian, '0~~', { ecosystem: 'Debian:12' })).toBe('0~');
  });

  it('holds the last affected version and names no fix for it', () => {
    const inclusive = advisory({ ranges: [[{ introduced: '0' }, { last_affected: '1.4.0' }]] });
    expect(judge(inclusive, '1.4.0')).toBe('no fix');
    expect(judge(inclusive, '1.4.1')).toBe('safe');
  });

  it('does not name the fix of a later stretch for an earlier one', () => {
    const events = [
      { introduced: '0' },
      { last_affected: '1.4.0' },
      { introduced: '2.0.0' },
      { fixed: '2.1.0' },
    ];
    expect(judge(advisory({ ranges: [events] }), '1.0.0')).toBe('no fix');
  });

  it('has no end if it names none', () => {
    expect(judge(advisory({ ranges: [[{ introduced: '0' }]] }), '99.0.0')).toBe('no fix');
  });

  it('ends at its limits: a version has to be below one of them', () => {
    const branch = advisory({ ranges: [[{ introduced: '0' }, { limit: '1.5.0' }, { limit: '1.2.0' }]] });
    expect(judge(branch, '1.4.9')).toBe('no fix');
    expect(judge(branch, '1.5.0')).toBe('safe');
    expect(judge(advisory({ ranges: [[{ introduced: '0' }, { limit: '*' }]] }), '9.0.0')).toBe('no fix');
  });

  it('goes by the later of two events at one version', () => {
    const goesOn = [{ introduced: '0' }, { fixed: '2.0.0' }, { introduced: '2.0.0' }, { fixed: '2.11.2' }];
    expect(judge(advisory({ ranges: [goesOn] }), '2.5.0')).toBe('2.11.2');
    const isEmpty = [{ introduced: '0' }, { fixed: '1.0.0' }, { introduced: '2.0.0' }, { fixed: '2.0.0' }];
    expect(judge(advisory({ ranges: [isEmpty] }), '2.5.0')).toBe('safe');
  });
});

describe('an advisory', () => {
  it('holds what any of its entries for the package holds', () => {
    const record = advisory(
      { ranges: [[{ introduced: '0' }, { fixed: '0.2.4' }]] },
      { name: 'right', ranges: [[{ introduced: '0' }]] },
      { ranges: [[{ introduced: '1.0.0' }, { fixed: '1.2.6' }]] },
    );
    expect(judge(record, '0.1.0')).toBe('0.2.4');
    expect(judge(record, '0.5.0')).toBe('safe');
    expect(judge(record, '1.2.0')).toBe('1.2.6');
  });

  it('names a fix that none of its ranges holds', () => {
    const overlapping = advisory(
      { ranges: [[{ introduced: '1.0.0' }, { fixed: '1.5.0' }]] },
      { ranges: [[{ introduced: '1.2.0' }, { fixed: '2.0.0' }]] },
    );
    expect(judge(overlapping, '1.0.0')).toBe('2.0.0');
    const endless = advisory(
      { ranges: [[{ introduced: '1.0.0' }, { fixed: '1.5.0' }]] },
      { ranges: [[{ introduced: '1.2.0' }]] },
    );
    expect(judge(endless, '1.0.0')).toBe('no fix');
  });

  it('holds the versions that it lists, whatever its ranges say', () => {
    const record = advisory({ ranges: [[{ introduced: '2.0.0' }, { fixed: '2.1.0' }]], versions: ['1.0.0'] });
    expect(judge(record, '1.0.0')).toBe('no fix');
    expect(judge(record, '1.0.1')).toBe('safe');
    expect(judge(record, '2.0.0')).toBe('2.1.0');
  });

  it('takes listed versions by the order of the ecosystem where it has no ranges', () => {
    const record = advisory({ ecosystem: 'PyPI', versions: ['1.0', '2.0'] });
    expect(judge(record, '1.0.0', { ecosystem: 'PyPI' })).toBe('no fix');
    expect(judge(record, '1.0.1', { ecosystem: 'PyPI' })).toBe('safe');
  });

  it('holds nothing once it is withdrawn', () => {
    const record = advisory({ ranges: [[{ introduced: '0' }]], versions: ['1.0.0'] });
    expect(judge({ ...record, withdrawn: '2024-06-01T00:00:00.000Z' }, '1.0.0')).toBe('safe');
  });

  it('does not reach from one release or ecosystem to another, and never to a release without a number', () => {
    const record = advisory(
      { ecosystem: 'Debian', ranges: [[{ introduced: '0' }]] },
      { ecosystem: 'Debian:11', ranges: [[{ introduced: '0' }]] },
    );
    expect(judge(record, '1.0', { ecosystem: 'Debian:11' })).toBe('no fix');
    expect(judge(record, '1.0', { ecosystem: 'Debian:12' })).toBe('safe');
    expect(judge(record, '1.0', { ecosystem: 'Debian' })).toBe('safe');
    expect(judge(record, '1.0')).toBe('safe');
  });
});

describe('any advisory', () => {
  /** Versions 0.0.0 to 12.0.0, so that events and versions often meet. */
  const number = fc.nat({ max: 12 });
  const event = fc.tuple(
    fc.constantFrom('introduced', 'fixed', 'last_affected'),
    fc.integer({ min: 1, max: 12 }),
  );
  const events = fc
    .uniqueArray(event, { minLength: 1, maxLength: 6, selector: ([, at]) => at })
    .map((list) => [...list, ['introduced', 0] as const]);
  const entry = fc.array(events, { minLength: 1, maxLength: 3 });

  const toRecord = (ranges: readonly (readonly (readonly [string, number])[])[]): Advisory =>
    advisory({
      ranges: ranges.map((list) => list.map(([kind, at]) => ({ [kind]: at === 0 ? '0' : `${at}.0.0` }))),
    });

  it('says the same whatever the order of its events', () => {
    fc.assert(
      fc.property(events, number, fc.infiniteStream(fc.nat()), (list, at, randoms) => {
        const shuffled = list
          .map((each) => ({ each, rank: randoms.next().value }))
          .sort((a, b) => a.rank - b.rank)
          .map(({ each }) => each);
        expect(judge(toRecord([shuffled]), `${at}.0.0`)).toBe(judge(toRecord([list]), `${at}.0.0`));
      }),
    );
  });

  it('agrees with walking through the events from the oldest on, as the schema describes it', () => {
    fc.assert(
      fc.property(entry, number, (ranges, at) => {
        const isHeld = ranges.some((list) => walk(list, at));
        expect(judge(toRecord(ranges), `${at}.0.0`) !== 'safe').toBe(isHeld);
      }),
      { numRuns: 2000 },
    );
  });

  it('names fixes that are newer than the version and that it does not hold itself', () => {
    fc.assert(
      fc.property(entry, number, (ranges, at) => {
        const record = toRecord(ranges);
        const fix = matchAdvisory(record, { ecosystem: 'npm', name: 'left', version: `${at}.0.0` })?.fixedIn;
        if (fix === undefined) return;
        expect(Number.parseInt(fix, 10)).toBeGreaterThan(at);
        expect(judge(record, fix)).toBe('safe');
      }),
      { numRuns: 2000 },
    );
  });

  /** The schema's own pseudocode, with the record's order for events at one version. */
  function walk(list: readonly (readonly [string, number])[], at: number): boolean {
    let isHeld = false;
    for (const [kind, place] of list.toSorted((a, b) => a[1] - b[1])) {
      if (kind === 'introduced' && at >= place) isHeld = true;
      if (kind === 'fixed' && at >= place) isHeld = false;
      if (kind === 'last_affected' && at > place) isHeld = false;
    }
    return isHeld;
  }
});
