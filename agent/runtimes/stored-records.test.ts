import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { parseContainers, parseImages, parseLayers } from './stored-records.ts';

const id = 'a'.repeat(64);
const other = 'b'.repeat(64);
const digest = `sha256:${other}`;

describe('records of containers-storage', () => {
  it('tell an image with its names, its manifests and its topmost layer', () => {
    const text = JSON.stringify([
      {
        id,
        digest,
        names: ['registry.test/app:1'],
        layer: other,
        'big-data-names': [`sha256:${id}`, 'manifest', `manifest-${digest}`, `manifest-sha256:${id}`],
        'some-later-field': {},
      },
      { id: other },
    ]);
    expect(parseImages(text)).toEqual([
      { id, names: ['registry.test/app:1'], digests: [digest, `sha256:${id}`], layer: other },
      { id: other, names: [], digests: [], layer: undefined },
    ]);
  });

  it('leave out an image that somebody gave an id of their own', () => {
    expect(parseImages('[{"id":"mine"}]')).toEqual([]);
  });

  it('tell a layer with the one below it, and what it can be known by', () => {
    const text = JSON.stringify([
      { id, 'diff-digest': digest, parent: '' },
      { id: other, parent: id, 'toc-digest': digest },
    ]);
    expect(parseLayers(text)).toEqual([
      { id, parent: undefined, diffDigest: digest, tocDigest: undefined },
      { id: other, parent: id, diffDigest: undefined, tocDigest: digest },
    ]);
  });

  it('tell what a container writes to', () => {
    expect(parseContainers(JSON.stringify([{ id, layer: other, image: '' }]))).toEqual([
      { id, layer: other },
    ]);
  });

  it.each(['../../etc', 'A'.repeat(64), `${id}/..`])('name no path: %s', (path) => {
    expect(() => parseLayers(JSON.stringify([{ id: path }]))).toThrow('records[0].id is not an id');
    expect(() => parseLayers(JSON.stringify([{ id, parent: path }]))).toThrow('is not an id');
    expect(() => parseContainers(JSON.stringify([{ id, layer: path }]))).toThrow('is not an id');
    expect(() => parseImages(JSON.stringify([{ id, layer: path }]))).toThrow('is not an id');
  });

  it('of any other form are refused with the place in them', () => {
    fc.assert(
      fc.property(fc.jsonValue(), (value) => {
        for (const parse of [parseImages, parseLayers, parseContainers]) {
          try {
            for (const { id: found } of parse(JSON.stringify(value))) expect(found).toMatch(/^[0-9a-f]{64}$/);
          } catch (error) {
            expect(String(error)).toContain('records');
          }
        }
      }),
    );
  });
});
