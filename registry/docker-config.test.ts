import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { credentialsIn, parseDockerConfig } from './docker-config.ts';

const base64 = (text: string): string => Buffer.from(text).toString('base64');
const auth = (name: string) => ({ auth: base64(`${name}:secret`) });
const usersFor = (auths: object, host: string, repository = 'team/app'): readonly unknown[] =>
  credentialsIn(parseDockerConfig(JSON.stringify({ auths }), 'it'), host, repository).map((found) =>
    found.kind === 'password' ? found.username : found.kind,
  );

describe('the credentials of a config.json', () => {
  it.each([
    ['https://index.docker.io/v1/', 'docker.io'],
    ['index.docker.io', 'docker.io'],
    ['docker.io', 'docker.io'],
    ['registry.test', 'registry.test'],
    ['https://registry.test', 'registry.test'],
    ['http://registry.test:5000/v2/', 'registry.test:5000'],
    ['registry.test/team', 'registry.test'],
    ['registry.test/team/app', 'registry.test'],
    ['*.test', 'registry.test'],
    ['reg*.test', 'registry.test'],
  ])('of %s are for %s', (key, host) => {
    expect(usersFor({ [key]: auth('jane') }, host)).toEqual(['jane']);
  });

  it.each([
    ['registry.test', 'registry.test:5000'],
    ['registry.test:5000', 'registry.test'],
    ['registry.test', 'other.registry.test'],
    ['registry.test', 'registry.test.example'],
    ['registry.test/other', 'registry.test'],
    ['registry.test/te', 'registry.test'],
    ['registry.test/team/app/more', 'registry.test'],
    ['*.test', 'a.registry.test'],
    ['*', 'registry.test'],
    ['reg*x.test', 'registry.test'],
    ['r*g*.test', 'registry.test'],
    ['', 'registry.test'],
  ])('of %j are not for %s', (key, host) => {
    expect(usersFor({ [key]: auth('jane') }, host)).toEqual([]);
  });

  it('are tried with the longest path first, and wildcards last', () => {
    const auths = {
      '*.test': auth('anywhere'),
      'registry.test': auth('all'),
      'registry.test/team': auth('team'),
      'registry.test/team/app': auth('app'),
    };
    expect(usersFor(auths, 'registry.test')).toEqual(['app', 'team', 'all', 'anywhere']);
  });

  it.each([
    [
      { username: 'jane', password: 'a:b' },
      { kind: 'password', username: 'jane', password: 'a:b' },
    ],
    [{ auth: base64('jane:a:b') }, { kind: 'password', username: 'jane', password: 'a:b' }],
    [{ auth: base64('jane:secret\0\0') }, { kind: 'password', username: 'jane', password: 'secret' }],
    [
      { auth: base64('jane:'), identitytoken: 'abc' },
      { kind: 'identity', token: 'abc' },
    ],
    [
      { username: '<token>', password: 'abc' },
      { kind: 'identity', token: 'abc' },
    ],
    [{ registrytoken: 'abc' }, { kind: 'bearer', token: 'abc' }],
  ])('are read in the form %j', (entry, credentials) => {
    const config = parseDockerConfig(JSON.stringify({ auths: { 'registry.test': entry } }), 'it');
    expect(credentialsIn(config, 'registry.test', 'app')).toEqual([credentials]);
  });

  it('are none where an entry is empty, as `docker login` leaves it beside a helper', () => {
    expect(usersFor({ 'registry.test': {} }, 'registry.test')).toEqual([]);
    expect(parseDockerConfig('{}', 'it').auths).toEqual([]);
  });

  it('can be those of a Secret of the old form', () => {
    const old = parseDockerConfig(JSON.stringify({ 'registry.test': auth('jane') }), 'it', 'legacy');
    expect(credentialsIn(old, 'registry.test', 'app')).toMatchObject([{ username: 'jane' }]);
  });

  it('can be with helpers', () => {
    const text = JSON.stringify({ credsStore: 'pass', credHelpers: { 'https://gcr.test': 'gcloud' } });
    const { helpers, helperOfAll } = parseDockerConfig(text, 'it');
    expect([...helpers]).toEqual([['gcr.test', 'gcloud']]);
    expect(helperOfAll).toBe('pass');
  });

  it.each([
    'secret',
    '[]',
    'null',
    '{"auths":[]}',
    '{"auths":{"registry.test":"secret"}}',
    '{"auths":{"registry.test":{"auth":"secret"}}}',
    '{"auths":{"registry.test":{"registrytoken":"secret\\nsecret"}}}',
    '{"credHelpers":{"registry.test":"../secret"}}',
    '{"credsStore":"secret; ls"}',
  ])('are refused in the form %s, without a word of what it says', (text) => {
    expect(() => parseDockerConfig(text, 'it')).toThrow(
      expect.objectContaining({
        code: 'credentials_unreadable',
        message: expect.not.stringContaining('secret'),
      }),
    );
  });

  it('go to no host but the one that they are named for', () => {
    const label = fc.stringMatching(/^[a-z]{1,3}$/);
    const host = fc.array(label, { minLength: 1, maxLength: 3 }).map((labels) => labels.join('.'));
    fc.assert(
      fc.property(host, host, (named, asked) => {
        expect(usersFor({ [named]: auth('jane') }, asked)).toEqual(named === asked ? ['jane'] : []);
      }),
    );
  });
});
