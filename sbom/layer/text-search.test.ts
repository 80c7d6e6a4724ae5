import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { AROUND_BYTES, type FilePart, type Piece } from '../catalogers/file-parts.ts';
import { TextSearch } from './text-search.ts';

function search(
  file: Buffer,
  part: FilePart,
  texts: readonly string[],
  chunkBytes = 40_000,
): readonly Piece[] | undefined {
  const found = new TextSearch(part, texts);
  const bytes = file.subarray(part.start, part.start + part.length);
  for (let at = 0; at < bytes.length; at += chunkBytes) found.write(bytes.subarray(at, at + chunkBytes));
  return found.end();
}

function fileOf(length: number, texts: readonly { readonly at: number; readonly text: string }[]): Buffer {
  const file = Buffer.alloc(length);
  for (const { at, text } of texts) file.write(text, at, 'latin1');
  return file;
}

function placesOf(text: string, file: Buffer, { start, length }: FilePart): readonly number[] {
  const places: number[] = [];
  for (let at = file.indexOf(text, start); at !== -1; at = file.indexOf(text, at + 1)) {
    if (at + text.length <= start + length) places.push(at);
  }
  return places;
}

describe('a search for texts in a file that passes by', () => {
  it('keeps what is around each of them, and little else', () => {
    const file = fileOf(1_000_000, [
      { at: 70_000, text: 'one' },
      { at: 600_000, text: 'two' },
    ]);
    const found = search(file, { start: 1000, length: 900_000 }, ['one', 'two']);
    expect(found?.map(({ start }) => start)).toEqual([70_000 - AROUND_BYTES, 600_000 - AROUND_BYTES]);
    for (const { start, bytes } of found ?? []) {
      expect(bytes.length).toBeLessThan(4 * AROUND_BYTES);
      expect(bytes.equals(file.subarray(start, start + bytes.length))).toBe(true);
    }
  });

  it('finds them wherever they are, however the file comes', () => {
    const texts = ['ab', 'abcdefg', 'x.'];
    // What is searched at a time is 64 KiB: around that is where something could be lost.
    const near = fc.integer({ min: -1200, max: 1200 }).map((off) => Math.max(0, 65_536 + off));
    const place = fc.record({
      at: fc.oneof(near, fc.nat(140_000)),
      text: fc.constantFrom(...texts, 'ababab', 'abcdef'),
    });
    fc.assert(
      fc.property(
        fc.array(place, { maxLength: 12 }),
        fc.nat(3000),
        fc.integer({ min: 1, max: 140_000 }),
        fc.integer({ min: 500, max: 150_000 }),
        (placed, start, length, chunkBytes) => {
          const file = fileOf(150_000, placed);
          const part = { start, length };
          const found = search(file, part, texts, chunkBytes) ?? [];
          for (const text of texts) {
            for (const at of placesOf(text, file, part)) {
              const from = Math.max(start, at - AROUND_BYTES);
              const to = Math.min(start + length, at + text.length + AROUND_BYTES);
              expect(
                found.some((each) => each.start <= from && to <= each.start + each.bytes.length),
                `${text} at ${at}`,
              ).toBe(true);
            }
          }
          for (const [index, each] of found.entries()) {
            expect(each.bytes.equals(file.subarray(each.start, each.start + each.bytes.length))).toBe(true);
            const next = found[index + 1];
            if (next) expect(each.start + each.bytes.length).toBeLessThan(next.start);
          }
        },
      ),
    );
  });

  it('gives up on a file that is full of them', () => {
    expect(search(Buffer.alloc(20_000_000, 'ab'), { start: 0, length: 20_000_000 }, ['ab'])).toBeUndefined();
  });
});
