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
  if (!to.writableNeedDrain || to.destroyed) return;
  // Takes the listener for what did not happen away again: a layer drains thousands of times.
  const settled = new AbortController();
  const { signal } = settled;
  await Promise.race([once(to, 'drain', { signal }), once(to, 'close', { signal })]).catch(() => undefined);
  settled.abort();
}

/** The frames that come in, to the end of the stream. Throws on what is not a frame. */
export async function* readFrames(from: Readable): AsyncGenerator<Frame, void, undefined> {
  let frame = new FrameInMaking();
  for await (const chunk of from as AsyncIterable<Buffer>) {
    for (let rest = chunk; rest.length > 0; ) {
      rest = frame.take(rest);
      if (!frame.isWhole) continue;
      yield frame.done();
      frame = new FrameInMaking();
    }
  }
  if (!frame.isEmpty) throw new Error('the stream broke off within a frame');
}

/** A frame of which parts have come. It is in memory once: files of more than a hundred megabytes are sent as one. */
class FrameInMaking {
  #prefix = Buffer.alloc(PREFIX_BYTES);
  #bytes: Buffer | undefined;
  #filled = 0;

  get isEmpty(): boolean {
    return this.#filled === 0 && this.#bytes === undefined;
  }

  get isWhole(): boolean {
    return this.#bytes !== undefined && this.#filled === this.#bytes.length;
  }

  /** Takes what belongs to it, and gives the rest. */
  take(chunk: Buffer): Buffer {
    const into = this.#bytes ?? this.#prefix;
    const taken = chunk.copy(into, this.#filled);
    this.#filled += taken;
    if (this.#bytes === undefined && this.#filled === PREFIX_BYTES) this.#begin();
    return chunk.subarray(taken);
  }

  done(): Frame {
    const length = this.#prefix.readUInt32LE(0);
    const bytes = this.#bytes ?? Buffer.alloc(0);
    const { kind, ...header } = JSON.parse(bytes.toString('utf8', 0, length)) as { kind: string };
    return { kind, header, body: bytes.subarray(length) };
  }

  #begin(): void {
    const header = this.#prefix.readUInt32LE(0);
    const body = this.#prefix.readUInt32LE(4);
    if (header === 0 || header > MAX_HEADER_BYTES || body > MAX_BODY_BYTES) {
      throw new Error(`a frame of ${header} and ${body} bytes`);
    }
    this.#bytes = Buffer.allocUnsafe(header + body);
    this.#filled = 0;
  }
}
