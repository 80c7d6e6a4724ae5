import { beforeAll, describe, expect, it } from 'vitest';
import { issueGeneration } from './authority.ts';
import type { Generation } from './material.ts';
import { carriesNames, parseServingNames } from './names.ts';

describe('names of a server', () => {
  it('are sorted into DNS names and addresses, in lower case, each once', () => {
    expect(
      parseServingNames(['Core.gatehouse-system.svc', '10.0.0.7', '::1', 'core.gatehouse-system.svc']),
    ).toEqual({
      dns: ['core.gatehouse-system.svc'],
      ip: ['10.0.0.7', '::1'],
    });
  });

  it.each([
    ['nothing', []],
    ['more than any server has', Array.from({ length: 65 }, (_, index) => `name-${index}`)],
    ['an empty text', ['']],
    ['a port', ['core:9443']],
    ['a wildcard', ['*.gatehouse-system.svc']],
    ['a label of 64 letters', ['a'.repeat(64)]],
    ['what would be two names in a certificate', ['core, DNS:other']],
  ])('are refused if they are %s', (_, texts) => {
    expect(() => parseServingNames(texts)).toThrow(expect.objectContaining({ code: 'name_invalid' }));
  });
});

describe('a certificate carries names', () => {
  const names = ['core.gatehouse-system.svc', 'localhost', '127.0.0.1', '::1'];
  let generation: Generation;
  const carries = (texts: string[]): boolean => carriesNames(generation.leaf, parseServingNames(texts));

  beforeAll(async () => {
    generation = await issueGeneration(parseServingNames(names), { now: new Date(), lifetime: 60_000 });
  });

  it('if they are the ones it was made for, in any order and spelling', () => {
    expect(carries(['0:0:0:0:0:0:0:1', '127.0.0.1', 'LOCALHOST', 'core.gatehouse-system.svc'])).toBe(true);
  });

  it('not if one is missing, one is too many, or one is another', () => {
    expect(carries(names.slice(1))).toBe(false);
    expect(carries([...names, 'core'])).toBe(false);
    expect(carries([...names.slice(1), 'core.gatehouse-system.svc.cluster.local'])).toBe(false);
    expect(carries([...names.slice(0, -1), '::2'])).toBe(false);
  });
});
