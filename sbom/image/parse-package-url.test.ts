import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { encode } from './package-url.ts';
import { parsePackageUrl } from './parse-package-url.ts';

const brief = (text: string): unknown => {
  const parts = parsePackageUrl(text);
  if (!parts) return undefined;
  const { type, namespace, name, version, qualifiers } = parts;
  return [type, namespace.join('|'), name, version, Object.fromEntries(qualifiers)];
};

describe('a package URL', () => {
  it.each([
    ['pkg:npm/%40scope/name@1.0.0', ['npm', '@scope', 'name', '1.0.0', {}]],
    ['pkg:npm/@scope/name@1.0.0', ['npm', '@scope', 'name', '1.0.0', {}]],
    ['pkg:npm/@scope/name', ['npm', '@scope', 'name', undefined, {}]],
    ['pkg:npm/JSONStream@1.3.5', ['npm', '', 'JSONStream', '1.3.5', {}]],
    ['pkg://NPM//left-pad@1?', ['npm', '', 'left-pad', '1', {}]],
    ['PKG:golang/golang.org/x/text@v0.3.5#internal/a@b', ['golang', 'golang.org|x', 'text', 'v0.3.5', {}]],
    ['pkg:golang/example.test/tool', ['golang', 'example.test', 'tool', undefined, {}]],
    [
      'pkg:deb/debian/login@1:4.13%2Bdfsg1-1?ARCH=amd64&distro=debian-12&empty=&upstream=shadow%401:4.13',
      [
        'deb',
        'debian',
        'login',
        '1:4.13+dfsg1-1',
        { arch: 'amd64', distro: 'debian-12', upstream: 'shadow@1:4.13' },
      ],
    ],
    ['pkg:oci/app@sha256%3Aabc?tag=1@2/3', ['oci', '', 'app', 'sha256:abc', { tag: '1@2/3' }]],
  ])('%s is taken apart', (text, parts) => {
    expect(brief(text)).toEqual(parts);
  });

  it.each([
    'npm/left-pad@1',
    'pkg:npm',
    'pkg:npm/',
    'pkg:/left-pad@1',
    'pkg:n m/left-pad@1',
    'pkg:npm/%zz@1',
    'pkg:npm/a%2Fb/name@1',
    `pkg:npm/${'a'.repeat(5000)}@1`,
    '',
  ])('is not %s', (text) => {
    expect(parsePackageUrl(text)).toBeUndefined();
  });

  it('gives back whatever was encoded in it', () => {
    const text = fc.string({ unit: 'grapheme', minLength: 1, maxLength: 20 });
    const segment = text.filter((each) => !each.includes('/'));
    fc.assert(
      fc.property(
        fc.array(segment, { maxLength: 3 }),
        text,
        text,
        text,
        (namespace, name, version, value) => {
          const path = [...namespace, name].map(encode).join('/');
          const parts = parsePackageUrl(`pkg:any/${path}@${encode(version)}?key=${encode(value)}`);
          expect(parts).toEqual({
            type: 'any',
            namespace,
            name,
            version,
            qualifiers: new Map([['key', value]]),
          });
        },
      ),
    );
  });

  it('never fails, whatever the text', () => {
    fc.assert(fc.property(fc.string(), (text) => void parsePackageUrl(`pkg:${text}`)));
  });
});
