import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { type KnownImage, VerdictIndex } from './verdict-index.ts';

const digestOf = (n: number): string => `sha256:${n.toString(16).padStart(64, '0')}`;
const ROOMY = 10_000_000;

function image(n: number, aliases: readonly string[], verdict = '{}'): KnownImage {
  return { digest: digestOf(n), aliases, verdict };
}

describe('the verdict index', () => {
  it('finds an image by its digest, by repository:tag and by a digest in any repository', () => {
    const index = new VerdictIndex(ROOMY);
    const known = image(1, ['app:1', `registry.example/app@${digestOf(99)}`]);
    index.set(known);
    expect(index.find(digestOf(1))).toEqual([known]);
    expect(index.find('docker.io/library/app:1')).toEqual([known]);
    expect(index.find(digestOf(99))).toEqual([known]);
    expect(index.find('docker.io/library/app:2')).toEqual([]);
  });

  it('gives every platform that a name stands for', () => {
    const index = new VerdictIndex(ROOMY);
    index.set(image(1, ['app:1']));
    index.set(image(2, ['app:1']));
    expect(index.find('docker.io/library/app:1').map((found) => found.digest)).toEqual([
      digestOf(1),
      digestOf(2),
    ]);
  });

  it('follows a tag that moves on to another image', () => {
    const index = new VerdictIndex(ROOMY);
    index.set(image(1, ['app:1']));
    index.set(image(1, []));
    index.set(image(2, ['app:1']));
    expect(index.find('docker.io/library/app:1').map((found) => found.digest)).toEqual([digestOf(2)]);
    expect(index.find(digestOf(1))).toHaveLength(1);
  });

  it('forgets the names of an image with it', () => {
    const index = new VerdictIndex(ROOMY);
    index.set(image(1, ['app:1']));
    index.delete(digestOf(1));
    expect(index.find('docker.io/library/app:1')).toEqual([]);
    expect(index.size).toBe(0);
  });

  it('stays within its bytes, drops what was not used for longest, and counts what it dropped', () => {
    const index = new VerdictIndex(20_000);
    for (let n = 0; n < 100; n++) {
      index.set(image(n, [`app:${n}`], 'x'.repeat(500)));
      index.find(digestOf(0));
    }
    expect(index.bytes).toBeLessThanOrEqual(20_000);
    expect(index.evicted).toBe(100 - index.size);
    expect(index.find(digestOf(0))).toHaveLength(1);
    expect(index.find('docker.io/library/app:1')).toEqual([]);
  });

  it('answers as a plain list of images would, whatever is set and deleted', () => {
    const aliases = fc.subarray(['a:1', 'b:1', `c@${digestOf(50)}`]);
    const step = fc.record({ n: fc.nat(4), aliases, deletes: fc.boolean() });
    fc.assert(
      fc.property(fc.array(step, { maxLength: 40 }), (steps) => {
        const index = new VerdictIndex(ROOMY);
        const model = new Map<string, KnownImage>();
        for (const { n, aliases, deletes } of steps) {
          if (deletes) {
            index.delete(digestOf(n));
            model.delete(digestOf(n));
          } else {
            index.set(image(n, aliases));
            model.set(digestOf(n), image(n, aliases));
          }
        }
        const keys = {
          'docker.io/library/a:1': 'a:1',
          'docker.io/library/b:1': 'b:1',
          [digestOf(50)]: `c@${digestOf(50)}`,
        };
        for (const [key, alias] of Object.entries(keys)) {
          const expected = [...model.values()]
            .filter((known) => known.aliases.includes(alias))
            .map((known) => known.digest);
          expect(
            index
              .find(key)
              .map((found) => found.digest)
              .sort(),
          ).toEqual(expected.sort());
        }
      }),
    );
  });
});
