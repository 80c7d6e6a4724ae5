import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { formatReference, parseReference } from './reference.ts';

const DIGEST = `sha256:${'a'.repeat(64)}`;

describe('the name of an image', () => {
  it.each([
    ['debian', 'docker.io/library/debian:latest'],
    ['debian:12', 'docker.io/library/debian:12'],
    ['team/app', 'docker.io/team/app:latest'],
    ['docker.io/debian', 'docker.io/library/debian:latest'],
    ['index.docker.io/team/app:1', 'docker.io/team/app:1'],
    ['localhost/app', 'localhost/app:latest'],
    ['localhost:5000/app', 'localhost:5000/app:latest'],
    ['app:5000/team', 'app:5000/team:latest'],
    ['Registry/team', 'Registry/team:latest'],
    ['registry.example/a/b__c/d-e.f:v1.2_3', 'registry.example/a/b__c/d-e.f:v1.2_3'],
    ['[::1]:5000/app', '[::1]:5000/app:latest'],
    [`registry.example:5000/app@${DIGEST}`, `registry.example:5000/app@${DIGEST}`],
    [`app:1@${DIGEST}`, `docker.io/library/app:1@${DIGEST}`],
  ])('%s is %s', (text, whole) => {
    expect(formatReference(parseReference(text))).toBe(whole);
  });

  it.each([
    '',
    ':1',
    'App',
    'team/App',
    'app:',
    'app:-1',
    `app:${'1'.repeat(129)}`,
    'app@sha256:abc',
    `app@sha512:${'a'.repeat(128)}`,
    'a b',
    'a//b',
    '/app',
    'registry.example/',
    'registry.example:70000/app',
    'registry..example/app',
    '-registry.example/app',
    'http://registry.example/app',
    'user@registry.example/app',
    'registry.example/../app',
    'registry.example/app?x=1',
    'a_-b',
    'f'.repeat(64),
    `registry.example/${'a/'.repeat(200)}a`,
    'a'.repeat(10_000),
  ])('%j is none', (text) => {
    expect(() => parseReference(text)).toThrow(expect.objectContaining({ code: 'reference_invalid' }));
  });

  it('that was read is the same when it is written out and read again', () => {
    const word = fc.stringMatching(/^[a-z0-9]{1,8}$/);
    const repository = fc
      .array(fc.array(word, { minLength: 1, maxLength: 3 }), { minLength: 1, maxLength: 4 })
      .chain((parts) =>
        fc.constantFrom('.', '_', '__', '-', '--').map((by) => parts.map((part) => part.join(by)).join('/')),
      );
    const label = fc.stringMatching(/^[a-zA-Z0-9]([a-zA-Z0-9-]{0,5}[a-zA-Z0-9])?$/);
    const host = fc
      .tuple(fc.array(label, { minLength: 2, maxLength: 3 }), fc.option(fc.nat(65_535)))
      .map(([labels, port]) => `${labels.join('.')}${port === null ? '' : `:${port}`}`);
    const tag = fc.option(fc.stringMatching(/^\w[\w.-]{0,20}$/), { nil: undefined });
    const digest = fc.option(fc.constant(DIGEST), { nil: undefined });
    fc.assert(
      fc.property(host, repository, tag, digest, (onHost, named, tagged, fixed) => {
        const written = formatReference({ host: onHost, repository: named, tag: tagged, digest: fixed });
        const read = parseReference(written);
        expect(read).toMatchObject({ host: onHost, repository: named, digest: fixed });
        expect(read.tag).toBe(tagged ?? (fixed === undefined ? 'latest' : undefined));
        expect(parseReference(formatReference(read))).toEqual(read);
      }),
    );
  });

  it('is read or refused, and never leads to another path of the registry', () => {
    fc.assert(
      fc.property(fc.string({ unit: fc.constantFrom(...'ab/.:@-_A%?#\\ \n') }), (text) => {
        try {
          const { host, repository } = parseReference(text);
          const url = new URL(`https://${host}/v2/${repository}/manifests/x`);
          expect(url.pathname).toBe(`/v2/${repository}/manifests/x`);
          expect(url.host.toLowerCase()).toBe(new URL(`https://${host}`).host.toLowerCase());
        } catch (error) {
          expect(error).toMatchObject({ code: 'reference_invalid' });
        }
      }),
    );
  });
});
