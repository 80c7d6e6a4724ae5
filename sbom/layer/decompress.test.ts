import { createHash } from 'node:crypto';
import { Readable } from 'node:stream';
import { buffer } from 'node:stream/consumers';
import { deflateSync, gzipSync, zstdCompressSync } from 'node:zlib';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { decompress } from './decompress.ts';

function inflate(pieces: readonly Buffer[]): Promise<Buffer> {
  return buffer(decompress(Readable.from(pieces) as AsyncIterable<Buffer>));
}

/** At most so many pieces of one length; one byte each if the bytes are few. */
function cut(bytes: Buffer, most: number): Buffer[] {
  const length = Math.ceil(bytes.length / most);
  return Array.from({ length: most }, (_, index) => bytes.subarray(index * length, (index + 1) * length));
}

/** A frame that decompressors pass over; zstd:chunked keeps its table of contents in one. */
function skippableFrame(content: Buffer): Buffer {
  const header = Buffer.alloc(8);
  header.writeUInt32LE(0x184d2a53, 0);
  header.writeUInt32LE(content.length, 4);
  return Buffer.concat([header, content]);
}

/** Bytes that hardly compress, so that frames have several blocks. */
function noise({ length, seed }: { length: number; seed: number }): Buffer {
  return createHash('shake256', { outputLength: length }).update(String(seed)).digest();
}

const length = fc.oneof(fc.integer({ min: 1, max: 40 }), fc.integer({ min: 1, max: 400_000 }));
const parts = fc.array(fc.record({ length, seed: fc.nat() }).map(noise), { minLength: 1, maxLength: 4 });
const pieces = fc.oneof(fc.integer({ min: 1, max: 2000 }), fc.constant(1));

describe('decompression', () => {
  it('gives all of a blob of many zstd frames, wherever the pieces are cut', async () => {
    await fc.assert(
      fc.asyncProperty(parts, pieces, async (contents, count) => {
        const frames = contents.flatMap((content) => [zstdCompressSync(content), skippableFrame(content)]);
        const inflated = await inflate(
          cut(Buffer.concat([skippableFrame(Buffer.alloc(3)), ...frames]), count),
        );
        expect(inflated.equals(Buffer.concat(contents))).toBe(true);
      }),
      { numRuns: 30 },
    );
  });

  it('gives all of a blob of many gzip members, as eStargz has them', async () => {
    await fc.assert(
      fc.asyncProperty(parts, pieces, async (contents, count) => {
        const members = Buffer.concat(contents.map((content) => gzipSync(content)));
        expect((await inflate(cut(members, count))).equals(Buffer.concat(contents))).toBe(true);
      }),
      { numRuns: 30 },
    );
  });

  it('passes on what is not compressed, and even nothing at all', async () => {
    expect((await inflate([Buffer.from('a'), Buffer.from('plain')])).toString()).toBe('aplain');
    expect(await inflate([])).toHaveLength(0);
  });

  it.each([
    ['a cut gzip', gzipSync('content').subarray(0, -4)],
    ['a cut zstd frame', zstdCompressSync('content').subarray(0, -4)],
    ['bytes between zstd frames', Buffer.concat([zstdCompressSync('content'), deflateSync('content')])],
  ])('fails for %s', async (_what, bytes) => {
    await expect(inflate([bytes])).rejects.toThrow();
  });
});
