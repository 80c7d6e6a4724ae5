import type { FileHandle } from 'node:fs/promises';
import { RandomAccessReader } from 'yauzl';

/** Holds some hundred small records, or a thousand entries of the directory. */
const WINDOW_BYTES = 256 * 1024;

/** One travels along the records while the other travels along the directory at the archive's end. */
const WINDOW_COUNT = 2;

interface Window {
  readonly start: number;
  readonly bytes: Buffer;
}

/**
 * Reads a zip archive in large pieces. Each of its entries takes four reads of a few bytes to a few kilobytes, and asking
 * the system for each of them costs three times as much as all else that is done with the entry.
 */
export class WindowReader extends RandomAccessReader {
  readonly #handle: FileHandle;
  /** The last used one first. */
  #windows: readonly Window[] = [];

  constructor(handle: FileHandle) {
    super();
    this.#handle = handle;
  }

  /** A view of a window, to be copied if it is kept. Throws if the file ends too early. */
  async bytesAt(position: number, length: number): Promise<Buffer> {
    const found = this.#windows.find(
      ({ start, bytes }) => start <= position && position + length <= start + bytes.length,
    );
    const window = found ?? (await this.#readWindow(position, length));
    this.#windows = [window, ...this.#windows.filter((each) => each !== window)].slice(0, WINDOW_COUNT);
    return window.bytes.subarray(position - window.start, position - window.start + length);
  }

  async #readWindow(start: number, length: number): Promise<Window> {
    const buffer = Buffer.allocUnsafe(Math.max(length, WINDOW_BYTES));
    const { bytesRead } = await this.#handle.read(buffer, 0, buffer.length, start);
    if (bytesRead < length) throw new Error('the file ends too early');
    return { start, bytes: buffer.subarray(0, bytesRead) };
  }

  override read(
    buffer: Buffer,
    offset: number,
    length: number,
    position: number,
    callback: (error: Error | null) => void,
  ): void {
    this.bytesAt(position, length).then((bytes) => {
      bytes.copy(buffer, offset);
      callback(null);
    }, callback);
  }
}
