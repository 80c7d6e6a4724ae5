import { describe, expect, it } from 'vitest';
import { endOfLife } from './end-of-life.ts';

describe('the end of life of an operating system', () => {
  it.each([
    ['debian', '12', '2028-06-30'],
    ['ubuntu', '22.04', '2027-06-01'],
    ['alpine', '3.19', '2025-11-01'],
    ['alpine', '3.19.1', '2025-11-01'],
    ['rhel', '8.10', '2029-05-31'],
    ['rhel', '10.0', '2035-05-31'],
    ['sles', '15.5', '2024-12-31'],
    ['amzn', '2', '2026-06-30'],
  ])('is known of %s %s: %s', (id, versionId, expected) => {
    expect(endOfLife({ id, versionId })).toBe(expected);
  });

  it.each([
    ['arch', undefined],
    ['wolfi', '20230201'],
    ['debian', undefined],
    ['debian', '99'],
    ['sles', '15'],
    ['alpine', '3.22.0_alpha20250108'],
    ['alpine', '31.9'],
    ['constructor', 'name'],
    ['debian', 'constructor'],
  ])('is not known of %s %s', (id, versionId) => {
    expect(endOfLife({ id, versionId })).toBeUndefined();
  });
});
