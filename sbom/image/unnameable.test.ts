import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { type Package, packageTypes } from '../package.ts';
import { packageUrl } from './package-url.ts';
import { MAX_PACKAGE_URL_BYTES, unnameable } from './unnameable.ts';

const faultOf = (each: Package, os = { id: 'debian', versionId: '12' }): string | undefined =>
  unnameable(each, packageUrl(each, os));

/** Of few characters, all of which mean something in a URL, so that many are nearly alike. */
const text = fc.string({ unit: fc.constantFrom(...'a1/:@%-_.=&?'), minLength: 1, maxLength: 5 });
const packages = fc.record(
  {
    type: fc.constantFrom(...packageTypes),
    name: text,
    version: fc.oneof(text, fc.constant('(devel)')),
    arch: text,
    source: fc.record({ name: text, version: text }),
    module: text,
  },
  { requiredKeys: ['type', 'name', 'version'] },
);

/** What of a package decides which advisories speak of it. */
function judgedBy({ type, name, version, source }: Package): unknown {
  const spelling = type === 'pypi' ? name.toLowerCase().replaceAll(/[-_.]+/g, '-') : name;
  return { type, name: spelling, version, source: source ?? { name, version } };
}

describe('the URL of a package', () => {
  it('is never that of another package, or neither can go by it', () => {
    const byUrl = fc.array(packages, { minLength: 2, maxLength: 30 }).map((found) =>
      Map.groupBy(
        found.filter((each) => faultOf(each) === undefined),
        (each) => packageUrl(each, { id: 'debian', versionId: '12' }),
      ),
    );
    fc.assert(
      fc.property(byUrl, (groups) => {
        for (const [first, ...others] of groups.values())
          for (const other of others) expect(judgedBy(other)).toEqual(first && judgedBy(first));
      }),
      { numRuns: 2_000 },
    );
  });

  it.each<[Package, Package]>([
    [
      { type: 'npm', name: 'minimist', version: '1' },
      { type: 'npm', name: '/minimist', version: '1' },
    ],
    [
      { type: 'golang', name: 'a/b', version: 'v1' },
      { type: 'golang', name: 'a//b', version: 'v1' },
    ],
    [
      { type: 'maven', name: 'a:b', version: '1' },
      { type: 'maven', name: 'a::b', version: '1' },
    ],
    [
      { type: 'deb', name: 'b', version: '1+b1', source: { name: 'a', version: '1' } },
      { type: 'deb', name: 'b', version: '1+b1', source: { name: 'a@1', version: '1+b1' } },
    ],
  ])('differs for packages that are nearly alike', (one, other) => {
    expect([one, other].map((each) => faultOf(each))).toEqual([undefined, undefined]);
    expect(packageUrl(one)).not.toBe(packageUrl(other));
  });

  it.each<[string, Package]>([
    [
      'the version of its source has an @',
      { type: 'deb', name: 'b', version: '2', source: { name: 'a', version: '1@1' } },
    ],
    ['an epoch of an RPM is none', { type: 'rpm', name: 'b', version: ':1-1' }],
  ])('does not lead back to it where %s', (_what, each) => {
    expect(faultOf(each)).toContain('parts that its type has not');
  });

  it('has an end', () => {
    const named = (length: number): Package => ({ type: 'npm', name: 'a'.repeat(length), version: '1' });
    const most = MAX_PACKAGE_URL_BYTES - 'pkg:npm/@1'.length;
    expect(faultOf(named(most))).toBeUndefined();
    expect(faultOf(named(most + 1))).toContain('more than 1200 bytes');
    // A character of three bytes is nine of the URL.
    expect(faultOf({ type: 'npm', name: '\u6f22'.repeat(200), version: '1' })).toContain('more than 1200');
  });

  it('is had by packages that are their own source, or in a spelling of their own', () => {
    const itself = { name: 'bash', version: '5' };
    expect(faultOf({ type: 'deb', ...itself, source: itself })).toBeUndefined();
    expect(faultOf({ type: 'pypi', name: 'Zope._-Interface', version: '6' })).toBeUndefined();
    expect(faultOf({ type: 'golang', name: 'x', version: '(devel)', unreleased: true })).toBeUndefined();
  });
});
