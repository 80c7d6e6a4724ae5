import { PassThrough, Readable } from 'node:stream';
import { buffer } from 'node:stream/consumers';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { drained, type Frame, readFrames, writeFrame } from './frames.ts';

interface Sent {
  readonly kind: string;
  readonly header: Record<string, unknown>;
  readonly body: readonly Buffer[];
}

async function bytesOf(frames: readonly Sent[]): Promise<Buffer> {
  const to = new PassThrough();
  for (const { kind, header, body } of frames) writeFrame(to, kind, header, body);
  to.end();
  return buffer(to);
}

/** Comes in pieces of these lengths, and the rest in one. */
function inPieces(bytes: Buffer, lengths: readonly number[]): Readable {
  const pieces: Buffer[] = [];
  let rest = bytes;
  for (const length of lengths) {
    pieces.push(rest.subarray(0, length));
    rest = rest.subarray(length);
  }
  return Readable.from([...pieces, rest].filter((piece) => piece.length > 0));
}

const frames = fc.array(
  fc.record({
    kind: fc.constantFrom('examine', 'chunk', 'end'),
    header: fc.dictionary(
      fc.string({ minLength: 1 }).filter((key) => !['kind', '__proto__'].includes(key)),
      fc.string(),
    ),
    body: fc.array(
      fc.uint8Array({ maxLength: 50 }).map((bytes) => Buffer.from(bytes)),
      { maxLength: 3 },
    ),
  }),
  { maxLength: 5 },
);

describe('frames', () => {
  it('come as they were sent, however the stream is cut', async () => {
    await fc.assert(
      fc.asyncProperty(frames, fc.array(fc.nat(40)), async (sent, lengths) => {
        const came: Frame[] = await Array.fromAsync(readFrames(inPieces(await bytesOf(sent), lengths)));
        expect(came.map(({ kind, header, body }) => ({ kind, header, body: [...body] }))).toEqual(
          sent.map(({ kind, header, body }) => ({ kind, header, body: [...Buffer.concat(body)] })),
        );
      }),
    );
  });

  it('that break off are an error, and so are such of endless length', async () => {
    const bytes = await bytesOf([{ kind: 'chunk', header: {}, body: [Buffer.alloc(10)] }]);
    for (const length of [1, 7, 8, 9, bytes.length - 1]) {
      const reading = Array.fromAsync(readFrames(inPieces(bytes.subarray(0, length), [])));
      await expect(reading).rejects.toThrow('broke off');
    }
    const endless = Array.fromAsync(readFrames(Readable.from([Buffer.alloc(8, 0xff)])));
    await expect(endless).rejects.toThrow('a frame of');
  });

  it('wait for the other side without leaving anything behind, however often', async () => {
    const to = new PassThrough({ highWaterMark: 1 });
    for (let n = 0; n < 3; n++) {
      writeFrame(to, 'chunk', {}, [Buffer.alloc(10)]);
      const taken = drained(to);
      to.resume();
      await taken;
    }
    for (const event of ['drain', 'close', 'error']) expect(to.listenerCount(event)).toBe(0);
    to.destroy();
    await drained(to);
  });
});
