import { createHash } from 'node:crypto';
import type { IncomingMessage } from 'node:http';
import { Readable } from 'node:stream';
import { setTimeout as delay } from 'node:timers/promises';
import { backoffDelay } from '@gatehouse/lib/retry.ts';
import { bodyOf } from './answer-body.ts';
import { RegistryError, withMirrors } from './errors.ts';
import type { Patience } from './patience.ts';

/** What a blob is known by. */
export interface Blob {
  readonly digest: string;
  /** In bytes, as the manifest has it. */
  readonly size: number | undefined;
}

/** One of the places that have a blob. */
export interface BlobSource {
  readonly host: string;
  /** Throws RegistryError. */
  readonly open: (headers: Readonly<Record<string, string>>, signal: AbortSignal) => Promise<IncomingMessage>;
  /** Is told why it does not give the blob, and gives it as it is told to people. */
  readonly failed: (error: RegistryError) => string;
}

/** Layers of models have tens of gigabytes, compressed hardly less; catalogBlob reads no more than 64 GiB. */
export const MAX_BLOB_BYTES = 64 * 1024 ** 3;
/** A line that breaks more often within one blob will not bring it. */
const MAX_RESUMES = 8;

/** Reads a blob from the first place that has it, and goes on where it broke off, there or at the next place. */
export function blobStream(sources: readonly BlobSource[], blob: Blob, patience: Patience): Readable {
  const ending = new AbortController();
  const stream = Readable.from(new BlobReader(blob, patience, ending.signal).read(sources), {
    objectMode: false,
  });
  // Destroying a stream does not reach a generator that waits for the network.
  stream.once('close', () => ending.abort());
  return stream;
}

class BlobReader {
  readonly #blob: Blob;
  readonly #patience: Patience;
  readonly #signal: AbortSignal;
  readonly #hash = createHash('sha256');
  #received = 0;
  #resumes = 0;

  constructor(blob: Blob, patience: Patience, signal: AbortSignal) {
    this.#blob = blob;
    this.#patience = patience;
    this.#signal = signal;
  }

  async *read(sources: readonly BlobSource[]): AsyncGenerator<Buffer, void, undefined> {
    this.#checkSize(this.#blob.size ?? 0);
    const failures: string[] = [];
    for (const [index, source] of sources.entries()) {
      try {
        yield* this.#readFrom(source, index === sources.length - 1);
        this.#verify(source.host);
        return;
      } catch (error) {
        this.#signal.throwIfAborted();
        if (!(error instanceof RegistryError)) throw error;
        const failure = source.failed(error);
        // What was given away cannot be taken back, so after wrong content nobody else can be asked.
        if (error.code === 'content_mismatch' || index === sources.length - 1) {
          throw withMirrors(error, failures);
        }
        failures.push(failure);
      }
    }
  }

  /** After a mirror comes somebody else, who can be asked for the rest at once. */
  async *#readFrom(source: BlobSource, isLast: boolean): AsyncGenerator<Buffer, void, undefined> {
    for (;;) {
      const from = this.#received;
      const range = from === 0 ? {} : { range: `bytes=${from}-` };
      const response = await source.open(range, this.#signal);
      try {
        yield* this.#take(response, source.host);
        return;
      } catch (error) {
        const isBroken = error instanceof RegistryError && error.isTransient;
        if (!isBroken || !isLast || this.#signal.aborted || this.#resumes++ >= MAX_RESUMES) throw error;
        await delay(backoffDelay(this.#patience.backoff, this.#resumes), undefined, { signal: this.#signal });
      }
    }
  }

  async *#take(response: IncomingMessage, host: string): AsyncGenerator<Buffer, void, undefined> {
    let passOver = this.#received - startOf(response, host);
    if (passOver < 0) {
      response.destroy();
      throw new RegistryError('registry_answer_invalid', `${host} leaves out a part of ${this.#blob.digest}`);
    }
    for await (const piece of bodyOf(response, host, this.#patience.stall)) {
      const fresh = piece.subarray(passOver);
      passOver -= piece.length - fresh.length;
      if (fresh.length === 0) continue;
      this.#received += fresh.length;
      this.#checkSize(this.#received);
      if (this.#received > (this.#blob.size ?? this.#received)) throw this.#wrongSize(host, 'more');
      this.#hash.update(fresh);
      yield fresh;
    }
  }

  #verify(host: string): void {
    if (this.#received < (this.#blob.size ?? 0)) throw this.#wrongSize(host, 'fewer');
    const { digest } = this.#blob;
    const actual = `sha256:${this.#hash.digest('hex')}`;
    if (actual === digest) return;
    throw new RegistryError(
      'content_mismatch',
      `${host} sends the digest ${actual} where ${digest} was asked for`,
    );
  }

  #checkSize(size: number): void {
    if (size <= MAX_BLOB_BYTES) return;
    throw new RegistryError(
      'content_too_large',
      `${this.#blob.digest} has more than ${MAX_BLOB_BYTES} bytes`,
    );
  }

  #wrongSize(host: string, than: string): RegistryError {
    const { digest, size } = this.#blob;
    return new RegistryError('content_mismatch', `${host} sends ${than} than the ${size} bytes of ${digest}`);
  }
}

/** Where the body of an answer begins in the blob: those that know no ranges send all of it. */
function startOf(response: IncomingMessage, host: string): number {
  if (response.statusCode !== 206) return 0;
  const start = /^bytes (\d{1,15})-/.exec(response.headers['content-range'] ?? '')?.[1];
  if (start !== undefined) return Number(start);
  response.destroy();
  throw new RegistryError('registry_answer_invalid', `${host} sends a part and does not say which`);
}
