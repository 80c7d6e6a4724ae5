import { OptionError, readOptionsOnly } from '@gatehouse/lib/options.ts';
import { expect, it } from 'vitest';
import { readSettings, registryOptions } from './settings.ts';

const read = (...argv: readonly string[]) => readOptionsOnly(registryOptions, argv, {});

it('takes mirrors in the order in which they are named', () => {
  const mirrors = 'docker.io=one.test,two.test:5000/proxy/hub,quay.io=one.test';
  expect([...read('--registry-mirror', mirrors).registryMirror]).toEqual([
    [
      'docker.io',
      [
        { host: 'one.test', prefix: '' },
        { host: 'two.test:5000', prefix: 'proxy/hub/' },
      ],
    ],
    ['quay.io', [{ host: 'one.test', prefix: '' }]],
  ]);
});

it('trusts nobody without a proof who was not named', async () => {
  expect(await readSettings(read())).toEqual({
    mirrors: new Map(),
    insecure: new Set(),
    authority: undefined,
  });
  expect([...read('--insecure-registry', 'a.test:5000,b.test').insecureRegistry]).toEqual([
    'a.test:5000',
    'b.test',
  ]);
});

it.each([
  ['--registry-mirror', 'one.test'],
  ['--registry-mirror', 'docker.io=http://one.test'],
  ['--registry-mirror', 'docker.io='],
  ['--registry-mirror', '=one.test'],
  ['--registry-mirror', 'docker.io=one.test/../x?y'],
  ['--insecure-registry', 'http://one.test'],
  ['--insecure-registry', '*'],
])('refuses %s %s', (flag, value) => {
  expect(() => read(flag, value)).toThrow(OptionError);
});

it('says which authorities cannot be read', async () => {
  await expect(readSettings(read('--registry-ca', '/does/not/exist'))).rejects.toMatchObject({
    code: 'credentials_unreadable',
    message: expect.stringContaining('/does/not/exist'),
  });
});
