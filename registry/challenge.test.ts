import fc from 'fast-check';
import { expect, it } from 'vitest';
import { parseChallenges } from './challenge.ts';

const plain = (header: string) =>
  parseChallenges(header).map(({ scheme, parameters }) => [scheme, Object.fromEntries(parameters)]);

it.each<[string, unknown]>([
  ['', []],
  ['Basic realm="Registry"', [['basic', { realm: 'Registry' }]]],
  ['Negotiate', [['negotiate', {}]]],
  [
    'Bearer realm="https://auth.example/token",service="registry.example",scope="repository:a/b:pull,push"',
    [
      [
        'bearer',
        {
          realm: 'https://auth.example/token',
          service: 'registry.example',
          scope: 'repository:a/b:pull,push',
        },
      ],
    ],
  ],
  [
    'Negotiate, BEARER realm=x , service = "y", Basic realm="\\"z\\""',
    [
      ['negotiate', {}],
      ['bearer', { realm: 'x', service: 'y' }],
      ['basic', { realm: '"z"' }],
    ],
  ],
  ['Bearer realm="unended', [['bearer', {}]]],
  ['"', []],
])('reads %j', (header, challenges) => {
  expect(plain(header)).toEqual(challenges);
});

it('reads what was written, with whatever in quotes', () => {
  const token = fc.stringMatching(/^[a-z][a-z0-9-]{0,8}$/);
  const challenge = fc.tuple(token, fc.dictionary(token, fc.string(), { minKeys: 1, maxKeys: 4 }));
  fc.assert(
    fc.property(fc.array(challenge, { maxLength: 3 }), (challenges) => {
      const quote = (value: string) => `"${value.replaceAll(/["\\]/g, '\\$&')}"`;
      const header = challenges
        .map(([scheme, parameters]) => {
          const written = Object.entries(parameters).map(([name, value]) => `${name}=${quote(value)}`);
          return `${scheme} ${written.join(',')}`;
        })
        .join(', ');
      expect(plain(header)).toEqual(challenges.map(([scheme, parameters]) => [scheme, { ...parameters }]));
    }),
  );
});

it('comes to an end, whatever it is given', () => {
  fc.assert(
    fc.property(fc.string({ unit: fc.constantFrom(...'a=", \\\t') }), (header) => {
      expect(parseChallenges(header).length).toBeLessThanOrEqual(header.length);
    }),
  );
});
