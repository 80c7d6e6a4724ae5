import { describe, expect, it } from 'vitest';
import { checkPlatform, choosePlatform, readPlatform } from './platform.ts';

const items = ['linux/arm/v6', 'linux/arm/v7', 'linux/s390x', 'windows/amd64'].map((text) => ({
  platform: readPlatform(text),
}));

describe('a wanted platform', () => {
  it.each([
    ['linux/arm/v7', 1],
    ['linux/arm', 0],
    ['linux/s390x', 2],
    ['windows/amd64', 3],
    ['linux/arm/v8', undefined],
    ['linux/riscv64', undefined],
  ])('%s is the one of an index', (text, at) => {
    expect(choosePlatform(items, readPlatform(text))).toBe(at === undefined ? undefined : items[at]);
  });

  it('may be that of an item that names none, but of no other', () => {
    const wanted = readPlatform('linux/arm/v7');
    expect(choosePlatform([{ platform: undefined }], wanted)).toBeDefined();
    expect(choosePlatform(items.slice(2, 3), wanted)).toBeUndefined();
    expect(choosePlatform(items.slice(2, 3))).toBeDefined();
  });

  it('is held against what the image says of itself, where a variant may be left out', () => {
    const wanted = readPlatform('linux/arm/v7');
    expect(() => checkPlatform('it', readPlatform('linux/arm'), wanted)).not.toThrow();
    expect(() => checkPlatform('it', readPlatform('linux/arm/v6'), wanted)).toThrow(/not for linux\/arm\/v7/);
  });

  it.each(['', 'linux', 'linux/', '/amd64', 'linux/arm/v7/x', 'linux/a b'])('is not %j', (text) => {
    expect(() => readPlatform(text)).toThrow(/expected OS/);
  });
});
