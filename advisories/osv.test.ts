import { describe, expect, it } from 'vitest';
import type { AdvisoryError } from './errors.ts';
import { parseAdvisory } from './osv.ts';

const minimal = { id: 'X-1', modified: '2024-05-01T10:00:00Z' };

function errorOf(json: unknown): AdvisoryError {
  try {
    parseAdvisory(json);
  } catch (error) {
    return error as AdvisoryError;
  }
  throw new Error('the record was taken');
}

/** A record with one affected package that has these fields beside its name. */
function affecting(fields: object): object {
  return { ...minimal, affected: [{ package: { ecosystem: 'npm', name: 'left' }, ...fields }] };
}

describe('an advisory', () => {
  it('is taken with nothing but its id and its time', () => {
    expect(parseAdvisory(minimal)).toEqual({
      id: 'X-1',
      aliases: [],
      upstream: [],
      related: [],
      published: undefined,
      modified: '2024-05-01T10:00:00.000Z',
      withdrawn: undefined,
      summary: '',
      severity: { vectors: [], word: undefined },
      affected: [],
    });
  });

  it('has its times in UTC, so that they sort as texts', () => {
    const { modified, withdrawn } = parseAdvisory({
      ...minimal,
      modified: '2024-05-01T01:30:00.123456789+02:00',
      withdrawn: '2024-05-02T00:00:00Z',
    });
    expect([modified, withdrawn]).toEqual(['2024-04-30T23:30:00.123Z', '2024-05-02T00:00:00.000Z']);
  });

  it('takes the zero time of Go for no time', () => {
    expect(parseAdvisory({ ...minimal, published: '0001-01-01T00:00:00Z' }).published).toBeUndefined();
  });

  it('takes null for absent, as some databases write it', () => {
    expect(
      parseAdvisory({ ...minimal, aliases: null, withdrawn: null, severity: null, affected: null }),
    ).toEqual(parseAdvisory(minimal));
  });

  it('is summed up by the first line of its details if it has no summary', () => {
    const { summary } = parseAdvisory({ ...minimal, details: '\n  A \u001b[31mred\tline. \nAnd more.' });
    expect(summary).toBe('A  [31mred line.');
  });

  it('has a summary of one line that is cut where it is long', () => {
    const { summary } = parseAdvisory({ ...minimal, summary: 'long '.repeat(1000) });
    expect(summary).toHaveLength(300);
    expect(summary.endsWith('…')).toBe(true);
  });
});

describe('what is affected', () => {
  it('is told by the events of the ranges, whatever shape they have', () => {
    const ranges = [
      { type: 'SEMVER', events: [{ introduced: '0' }, { fixed: '1.2.3' }, {}] },
      { type: 'ECOSYSTEM', events: [{ introduced: '2.0.0', last_affected: '2.4.0' }, { limit: '*' }] },
    ];
    expect(parseAdvisory(affecting({ ranges })).affected[0]?.ranges).toEqual([
      {
        events: [
          { kind: 'introduced', version: '0' },
          { kind: 'fixed', version: '1.2.3' },
        ],
      },
      {
        events: [
          { kind: 'introduced', version: '2.0.0' },
          { kind: 'last_affected', version: '2.4.0' },
          { kind: 'limit', version: '*' },
        ],
      },
    ]);
  });

  it('leaves out commits, kinds of ranges that are not known, and ranges without events', () => {
    const ranges = [
      { type: 'GIT', repo: 'https://example.org/left', events: [{ introduced: '0' }, { fixed: '4f5e' }] },
      { type: 'MOON_PHASE', events: [{ waxing: 'yes' }] },
      { type: 'SEMVER', events: [] },
      { type: 'SEMVER', events: [{}] },
    ];
    expect(parseAdvisory(affecting({ ranges })).affected[0]?.ranges).toEqual([]);
  });

  it('leaves out entries without a package', () => {
    expect(parseAdvisory({ ...minimal, affected: [{ versions: ['v1.0'] }] }).affected).toEqual([]);
  });

  it('has names in the one spelling of their ecosystem', () => {
    const names = [
      ['PyPI', 'Jw.Util__x'],
      ['npm', 'JSONStream'],
      ['Packagist', 'Some/Thing'],
    ];
    const affected = names.map(([ecosystem, name]) => ({ package: { ecosystem, name } }));
    expect(parseAdvisory({ ...minimal, affected }).affected.map(({ name }) => name)).toEqual([
      'jw-util-x',
      'JSONStream',
      'Some/Thing',
    ]);
  });

  it('keeps the severity of the package apart from that of the advisory', () => {
    const record = {
      ...affecting({
        severity: [{ type: 'CVSS_V3', score: 'CVSS:3.1/AV:L/AC:H/PR:N/UI:N/S:U/C:L/I:N/A:N' }],
        ecosystem_specific: { urgency: 'unimportant' },
      }),
      severity: [
        { type: 'Ubuntu', score: 'low' },
        { type: 'CVSS_V2', score: 'AV:N/AC:L/Au:N/C:P/I:P/A:P' },
        {},
      ],
      database_specific: { severity: 'MODERATE' },
    };
    const { severity, affected } = parseAdvisory(record);
    expect(severity).toEqual({
      vectors: [{ scheme: 'CVSS_V2', vector: 'AV:N/AC:L/Au:N/C:P/I:P/A:P' }],
      word: 'MODERATE',
    });
    expect(affected[0]?.severity).toEqual({
      vectors: [{ scheme: 'CVSS_V3', vector: 'CVSS:3.1/AV:L/AC:H/PR:N/UI:N/S:U/C:L/I:N/A:N' }],
      word: 'unimportant',
    });
  });
});

it.each<[string, object]>([
  ['severity', { severity: 'high', database_specific: ['HIGH'] }],
  ['vectors', { severity: ['CVSS:3.1', { type: 7, score: null }] }],
  ['summary', { summary: 42, details: ['a', 'b'] }],
])('an advisory with a %s in a form of its own can do without it', (_what, fields) => {
  expect(parseAdvisory({ ...minimal, ...fields })).toEqual(parseAdvisory(minimal));
});

describe('a record that is not usable', () => {
  it.each([
    ['is no object', [], 'an advisory: the record is not an object'],
    ['is null', null, 'an advisory: id is not a text'],
    ['has no id', { modified: minimal.modified }, 'an advisory: id is not a text'],
    ['has no time', { id: 'X-1' }, 'X-1: modified is not a text'],
    [
      'has a time that is none',
      { id: 'X-1', modified: 'yesterday' },
      'X-1: modified is not an RFC 3339 time',
    ],
    ['is withdrawn at no time', { ...minimal, withdrawn: 'yes' }, 'X-1: withdrawn is not an RFC 3339 time'],
    ['has a number among its aliases', { ...minimal, aliases: ['A-1', 7] }, 'X-1: aliases[1] is not a text'],
    [
      'names no package',
      { ...minimal, affected: [{ package: { ecosystem: 'npm' } }] },
      'X-1: affected[0].package.name',
    ],
    [
      'has an event without a version',
      affecting({ ranges: [{ type: 'SEMVER', events: [{ introduced: 0 }] }] }),
      'X-1: affected[0].ranges[0].events[0].introduced is not a text',
    ],
    [
      'is never introduced',
      affecting({ ranges: [{ type: 'SEMVER', events: [{ fixed: '1.0.0' }] }] }),
      'X-1: affected[0].ranges[0].events is not a list with an introduced event',
    ],
    [
      'has a control character in a version',
      affecting({ versions: ['1.0\u0000'] }),
      'X-1: affected[0].versions[0] is not a text without control characters',
    ],
  ])('%s: the complaint names the record and the place', (_what, json, message) => {
    const error = errorOf(json);
    expect(error.code).toBe('record_invalid');
    expect(error.message).toContain(message);
  });

  it('has a part that is larger than it has reason to be', () => {
    expect(errorOf(affecting({ versions: ['1'.repeat(5000)] })).code).toBe('record_too_large');
    expect(errorOf(affecting({ versions: new Array(200_000).fill('1') })).code).toBe('record_too_large');
  });
});
