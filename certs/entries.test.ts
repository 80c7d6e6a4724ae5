import { beforeAll, describe, expect, it } from 'vitest';
import { issueGeneration } from './authority.ts';
import { type Entries, entryNames, fromEntries, toEntries } from './entries.ts';
import { firstMaterial, type Generation, type Material, published, staged, switched } from './material.ts';
import { parseServingNames } from './names.ts';

const now = new Date('2030-05-01T12:00:00Z');
let first: Generation;
let second: Generation;
let third: Generation;
let busy: Material;

beforeAll(async () => {
  const issue = () => issueGeneration(parseServingNames(['localhost']), { now, lifetime: 60_000 });
  [first, second, third] = await Promise.all([issue(), issue(), issue()]);
  const served = switched(staged(firstMaterial(first, 'once'), second, 'twice'), now);
  busy = published(staged(served, third, 'thrice'), new Date('2030-05-01T12:10:00Z'));
});

/** What a store would give back. */
function stored(material: Material, changes: Partial<Record<string, string>> = {}): Entries {
  const all = { ...toEntries(material), ...changes };
  return Object.fromEntries(
    Object.entries(all).flatMap(([name, text]) => (text === undefined ? [] : [[name, text]])),
  );
}

/** Certificates compare by their text. */
const plain = (material: Material | undefined): unknown => JSON.parse(JSON.stringify(material));

describe('stored material', () => {
  it('comes back as it was, in the midst of a rotation, too', () => {
    for (const material of [firstMaterial(first, ''), staged(firstMaterial(first, ''), second, 'x'), busy]) {
      expect(plain(fromEntries(stored(material)))).toEqual(plain(material));
    }
  });

  it('has the names that TLS tools expect, and all authorities in one bundle', () => {
    const entries = stored(busy);
    expect(entries['tls.crt']).toBe(second.leaf.toString());
    expect(entries['tls.key']).toBe(second.key);
    for (const { authority } of [first, second, third])
      expect(entries['ca.crt']).toContain(authority.toString());
  });

  it('says what has to go once a rotation is over', () => {
    expect(toEntries(firstMaterial(first, ''))).toMatchObject({
      'next-tls.crt': undefined,
      'next-tls.key': undefined,
    });
  });

  it('is no material if nothing was ever written', () => {
    expect(fromEntries({})).toBeUndefined();
    expect(fromEntries({ 'tls.crt': '', 'someone.else': 'x' })).toBeUndefined();
  });
});

describe('material that somebody broke', () => {
  it.each([
    ['the certificate is nonsense', { [entryNames.cert]: 'x' }, 'certificate_unreadable'],
    ['the key is gone', { [entryNames.key]: undefined }, 'certificate_unreadable'],
    ['the bundle is gone', { [entryNames.bundle]: undefined }, 'certificate_unreadable'],
  ])('is refused if %s', (_, changes, code) => {
    expect(() => fromEntries(stored(busy, changes as Record<string, string>))).toThrow(
      expect.objectContaining({ code }),
    );
  });

  it('is refused if the key is that of another certificate', () => {
    expect(() => fromEntries(stored(busy, { [entryNames.key]: third.key }))).toThrow(
      expect.objectContaining({ code: 'certificate_mismatch' }),
    );
  });

  it('is refused if no authority in the bundle signed what is served', () => {
    expect(() => fromEntries(stored(busy, { [entryNames.bundle]: third.authority.toString() }))).toThrow(
      expect.objectContaining({ code: 'certificate_mismatch' }),
    );
  });

  it('loses only the next generation if that alone is broken', () => {
    const material = fromEntries(stored(busy, { [entryNames.nextKey]: first.key }));
    expect(material?.serving.leaf.serialNumber).toBe(second.leaf.serialNumber);
    expect(material?.next).toBeUndefined();
  });

  it.each(['', '[]', 'null', '{"renewal":7,"nextPublishedAt":"soon","retiredAt":null}'])(
    'lets the next generation settle anew if the state of the rotation is %j',
    (text) => {
      const material = fromEntries(stored(busy, { [entryNames.rotation]: text }));
      expect(material?.next?.publishedAt).toBeUndefined();
      expect(material?.renewal).toBe('');
    },
  );
});
