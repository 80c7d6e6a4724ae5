import { describe, expect, it } from 'vitest';
import { parseManifest } from './jar-manifest.ts';

describe('the main section of a manifest', () => {
  it.each(['\n', '\r\n', '\r'])(
    'has attributes, and values of several lines, with %j between lines',
    (newline) => {
      const lines = [
        'Manifest-Version: 1.0',
        'Implementation-Title: a rather',
        ' long title',
        'Bundle-Version: 1',
      ];
      expect([...parseManifest(lines.join(newline))]).toEqual([
        ['manifest-version', '1.0'],
        ['implementation-title', 'a ratherlong title'],
        ['bundle-version', '1'],
      ]);
    },
  );

  it('ends where sections about single files begin', () => {
    const text = 'Main-Class: a.B\n\nName: a/\nImplementation-Version: 9\n';
    expect([...parseManifest(text).keys()]).toEqual(['main-class']);
  });

  it.each(['', '\n\n', 'no attribute', ': value'])('is empty in %j', (text) => {
    expect(parseManifest(text).size).toBe(0);
  });
});
