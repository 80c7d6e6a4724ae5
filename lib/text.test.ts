import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { cutToBytes } from './text.ts';

describe('a text that is cut to so many bytes', () => {
  it.each([
    ['abc', 3, 'abc'],
    ['abc', 2, 'ab'],
    ['a\u6f22', 4, 'a\u6f22'],
    ['a\u6f22', 3, 'a'],
    ['\u{1f600}', 3, ''],
    ['', 0, ''],
  ])('%s to %i is %s', (text, most, cut) => {
    expect(cutToBytes(text, most)).toBe(cut);
  });

  it('begins the whole one, is well-formed, and has no room for one character more', () => {
    const texts = fc.string({ unit: 'binary', maxLength: 20 });
    fc.assert(
      fc.property(texts, fc.nat(40), (text, most) => {
        const cut = cutToBytes(text, most);
        expect(text.startsWith(cut)).toBe(true);
        expect(cut.isWellFormed()).toBe(true);
        expect(Buffer.byteLength(cut)).toBeLessThanOrEqual(most);
        const [next = ''] = text.slice(cut.length);
        if (next !== '') expect(Buffer.byteLength(cut + next)).toBeGreaterThan(most);
      }),
    );
  });
});
