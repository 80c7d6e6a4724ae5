import { once } from 'node:events';
import type { Readable, Writable } from 'node:stream';

/** What the agent and its cataloger send each other: a kind, a JSON header and bytes. */
export interface Frame {
  readonly kind: string;
  readonly header: Readonly<Record<string, unknown>>;
  readonly body: Buffer;
}

const PREFIX_BYTES = 8;
/** A header names the parts of a file, or holds the findings of a package database: all of Debian's are 12 MB. */
const MAX_HEADER_BYTES = 64 * 1024 * 1024;
/** The largest file that any cataloger reads as a whole, and more than the largest fragment. */
const MAX_BODY_BYTES = 512 * 1024 * 1024;

/** Sends a frame; what the other side does not take yet waits in memory, see `drained`. */
export function writeFrame(to: Writable, kind: string, header: object, body: readonly Buffer[] = []): void {
  const text = Buffer.from(JSON.stringify({ kind, ...header }));
  const prefix = Buffer.alloc(PREFIX_BYTES);
  prefix.writeUInt32LE(text.length, 0);
  prefix.writeUInt32LE(
    body.reduce((sum, { length }) => sum + length, 0),
    4,
  );
  to.cork();
  for (const each of [prefix, text, ...body]) to.write(each);
  process.nextTick(() => to.uncork());
}

/** Resolves when the other side can take more, or has gone: then whoever reads from it hears why. */
export async function drained(to: Writable): Promise<void> {
  if (to.writableNeedDrain && !to.destroyed) {
    await Promise.race([once(to, 'drain'), once(to, 'close')]).catch(() => undefined);
  }
}

/** The frames that come in, to the end of the stream. Throws on what is not a frame. */
export async function* readFrames(from: Readable): AsyncGenerator<Frame, void, undefined> {
  const buffer = new Gathered();
  for await (const chunk of from as AsyncIterable<Buffer>) {
    buffer.push(chunk);
    for (let frame = buffer.takeFrame(); frame; frame = buffer.takeFrame()) yield frame;
  }
  if (buffer.length > 0) throw new Error('the stream broke off within a frame');
}

/** Chunks that are joined only once a whole frame is there. */
class Gathered {
  length = 0;
  #chunks: Buffer[] = [];
  #prefix: { header: number; body: number } | undefined;

  push(chunk: Buffer): void {
    this.#chunks.push(chunk);
    this.length += chunk.length;
  }

  takeFrame(): Frame | undefined {
    this.#prefix ??= this.#takePrefix();
    if (!this.#prefix) return undefined;
    const { header, body } = this.#prefix;
    if (this.length < header + body) return undefined;
    this.#prefix = undefined;
    const bytes = this.#take(header + body);
    const { kind, ...rest } = JSON.parse(bytes.toString('utf8', 0, header)) as { kind: string };
    return { kind, header: rest, body: bytes.subarray(header) };
  }

  #takePrefix(): { header: number; body: number } | undefined {
    if (this.length < PREFIX_BYTES) return undefined;
    const bytes = this.#take(PREFIX_BYTES);
    const header = bytes.readUInt32LE(0);
    const body = bytes.readUInt32LE(4);
    if (header > MAX_HEADER_BYTES || body > MAX_BODY_BYTES) throw new Error('a frame is too large');
    return { header, body };
  }

  #take(length: number): Buffer {
    const joined =
      this.#chunks.length === 1 ? (this.#chunks[0] ?? Buffer.alloc(0)) : Buffer.concat(this.#chunks);
    this.#chunks = joined.length > length ? [joined.subarray(length)] : [];
    this.length -= length;
    return joined.subarray(0, length);
  }
}
