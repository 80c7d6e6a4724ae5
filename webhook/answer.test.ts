import type { Decision } from '@gatehouse/policies';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { validation } from './answer.ts';

function warned(...warnings: string[]): Decision {
  return { outcome: 'warn', mode: 'warn', allowed: true, reasons: [], warnings, patch: [] };
}

const warningsOf = (...warnings: string[]): readonly string[] =>
  validation('u', warned(...warnings)).warnings ?? [];

describe('warnings', () => {
  it('stand as they are where they fit', () => {
    expect(warningsOf('one', 'two')).toEqual(['one', 'two']);
  });

  it('lose line breaks and control characters, with which the API server would drop them', () => {
    expect(warningsOf('first\nsecond\u0007\r\nthird')).toEqual(['first second third']);
  });

  it('are cut, and counted where there are too many', () => {
    const warnings = warningsOf(...Array.from({ length: 30 }, (_, n) => `${n} ${'x'.repeat(200)}`));
    expect(warnings.at(-1)).toMatch(/^and \d+ more$/);
    expect(warnings.length).toBeLessThan(30);
  });

  it('never exceed what the API server takes without cutting them itself', () => {
    fc.assert(
      fc.property(fc.array(fc.string({ maxLength: 3_000 }), { maxLength: 20 }), (texts) => {
        const warnings = warningsOf(...texts);
        expect(warnings.join('').length).toBeLessThanOrEqual(4_096);
        // biome-ignore lint/suspicious/noControlCharactersInRegex: none of them may be left.
        for (const warning of warnings) expect(warning).not.toMatch(/[\u0000-\u001f\u007f]/);
      }),
    );
  });
});
