import { beforeAll, describe, expect, it } from 'vitest';
import { issueGeneration } from './authority.ts';
import { parseCertificates, parseServingPair } from './certificate.ts';
import type { Generation } from './material.ts';
import { parseServingNames } from './names.ts';

let one: Generation;
let other: Generation;

beforeAll(async () => {
  const issue = () =>
    issueGeneration(parseServingNames(['localhost']), { now: new Date(), lifetime: 60_000 });
  [one, other] = await Promise.all([issue(), issue()]);
});

describe('a PEM text', () => {
  it('gives its certificates in order, whatever stands between them', () => {
    const text = `# served\n${one.leaf}\nits authority:\n${one.authority}`;
    expect(parseCertificates(text).map(String)).toEqual([one.leaf.toString(), one.authority.toString()]);
  });

  it.each([
    ['is empty', () => ''],
    ['holds a key only', () => one.key],
    ['is cut off', () => one.leaf.toString().slice(0, -40)],
    ['has a broken certificate in it', () => `${one.leaf}${other.leaf.toString().replace('MII', 'MIX')}`],
    ['is longer than any chain', () => one.leaf.toString().repeat(200)],
  ])('is unreadable if it %s', (_, text) => {
    expect(() => parseCertificates(text())).toThrow(
      expect.objectContaining({ code: 'certificate_unreadable' }),
    );
  });
});

describe('a certificate and a key', () => {
  it('are a pair, also with a chain', () => {
    expect(parseServingPair(`${one.leaf}${one.authority}`, one.key).certificate.serialNumber).toBe(
      one.leaf.serialNumber,
    );
  });

  it('are none if the key is that of another certificate', () => {
    expect(() => parseServingPair(one.leaf.toString(), other.key)).toThrow(
      expect.objectContaining({ code: 'certificate_mismatch' }),
    );
  });

  it('are none if the key is no key', () => {
    expect(() => parseServingPair(one.leaf.toString(), 'secret')).toThrow(
      expect.objectContaining({ code: 'certificate_unreadable' }),
    );
  });
});
