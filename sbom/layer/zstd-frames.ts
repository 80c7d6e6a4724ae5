import { ArchiveFault } from './archive-fault.ts';

const FRAME_MAGIC = 0xfd2fb528;
const SKIPPABLE_MAGIC = 0x184d2a50;
const SKIPPABLE_MASK = 0xfffffff0;

/** The next bytes of a frame: those that must be seen, or those that only have to pass. */
interface Want {
  readonly bytes: number;
  readonly seen: boolean;
}

/**
 * Cuts a stream of zstd frames so that no piece reaches over the end of a frame. Node's decompressor (24.21) forgets,
 * without an error, what follows the end of a frame within one piece, and layers in the zstd:chunked form have
 * thousands of frames. Only sizes are read here (RFC 8878, section 3.1); all else is for the decompressor to judge.
 */
export async function* cutZstdFrames(input: AsyncIterable<Buffer>): AsyncGenerator<Buffer> {
  let frame = zstdFrame();
  let want = frame.next();
  let got = 0;
  let seen = Buffer.alloc(0);
  for await (const chunk of input) {
    let begin = 0;
    for (let at = 0; at < chunk.length; ) {
      if (want.done) {
        yield chunk.subarray(begin, at);
        begin = at;
        frame = zstdFrame();
        want = frame.next();
        continue;
      }
      const end = Math.min(chunk.length, at + want.value.bytes - got);
      if (want.value.seen) seen = Buffer.concat([seen, chunk.subarray(at, end)]);
      got += end - at;
      at = end;
      if (got === want.value.bytes) {
        want = frame.next(seen);
        got = 0;
        seen = Buffer.alloc(0);
      }
    }
    yield chunk.subarray(begin);
  }
}

function* zstdFrame(): Generator<Want, void, Buffer> {
  const magic = (yield see(4)).readUInt32LE();
  if ((magic & SKIPPABLE_MASK) >>> 0 === SKIPPABLE_MAGIC) {
    yield* pass((yield see(4)).readUInt32LE());
    return;
  }
  if (magic !== FRAME_MAGIC) throw new ArchiveFault('bytes between frames');
  const descriptor = (yield see(1)).readUInt8();
  yield* pass(headerRest(descriptor));
  for (let last = false; !last; ) {
    const block = (yield see(3)).readUIntLE(0, 3);
    const isRun = ((block >> 1) & 3) === 1;
    yield* pass(isRun ? 1 : block >> 3);
    last = (block & 1) === 1;
  }
  const hasChecksum = (descriptor & 4) !== 0;
  yield* pass(hasChecksum ? 4 : 0);
}

/** Bytes of window, dictionary id and content size, as the frame header descriptor announces them. */
function headerRest(descriptor: number): number {
  const isSingleSegment = (descriptor & 0x20) !== 0;
  const window = isSingleSegment ? 0 : 1;
  const dictionary = [0, 1, 2, 4][descriptor & 3] ?? 0;
  const contentSize = [isSingleSegment ? 1 : 0, 2, 4, 8][descriptor >> 6] ?? 0;
  return window + dictionary + contentSize;
}

function see(bytes: number): Want {
  return { bytes, seen: true };
}

function* pass(bytes: number): Generator<Want, void, Buffer> {
  if (bytes > 0) yield { bytes, seen: false };
}
