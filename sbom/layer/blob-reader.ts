import { createHash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { addAbortSignal, type Readable } from 'node:stream';
import { SbomError } from '../errors.ts';
import { ArchiveFault } from './archive-fault.ts';
import { decompress } from './decompress.ts';
import type { TarEntry } from './tar-entry.ts';
import { type TarBody, TarReader } from './tar-reader.ts';

/** Layers of models have tens of gigabytes; a bomb of more costs minutes until the limit, and the signal ends it before. */
const MAX_INFLATED_BYTES = 64 * 1024 ** 3;

/** Each piece goes to the thread that inflates and back: of the usual 64 KiB there are four times as many. */
const READ_BYTES = 256 * 1024;

/** A file, or a stretch of it from `start` to `end` inclusive, as layers are read fastest. */
export function streamFile(
  path: string,
  stretch: { readonly start?: number; readonly end?: number } = {},
): Readable {
  return createReadStream(path, { highWaterMark: READ_BYTES, ...stretch });
}

/** Where the bytes of a layer come from, plain or compressed; they may be asked for twice. */
export interface LayerBlob {
  /** What error messages call it: a path or a digest. */
  readonly name: string;
  readonly open: () => Readable;
}

/**
 * Reads a layer from its first to its last byte, and gives its diff id: the SHA-256 of the archive without compression.
 * Throws SbomError `layer_corrupt`, `layer_too_large` or `layer_unreadable`, or the reason of the signal.
 */
export async function readBlob(
  blob: LayerBlob,
  onEntry: (entry: TarEntry) => TarBody | undefined,
  signal: AbortSignal | undefined,
): Promise<string> {
  const input = blob.open();
  if (signal) addAbortSignal(signal, input);
  const hash = createHash('sha256');
  const reader = new TarReader(onEntry);
  let inflated = 0;
  try {
    for await (const chunk of decompress(input as AsyncIterable<Buffer>)) {
      inflated += chunk.length;
      if (inflated > MAX_INFLATED_BYTES) {
        throw new SbomError('layer_too_large', `${blob.name} has more than ${MAX_INFLATED_BYTES} bytes`);
      }
      hash.update(chunk);
      reader.write(chunk);
    }
    reader.end();
  } catch (cause) {
    signal?.throwIfAborted();
    throw toSbomError(cause, blob.name, inflated);
  } finally {
    input.destroy();
  }
  return `sha256:${hash.digest('hex')}`;
}

function toSbomError(cause: unknown, name: string, inflated: number): SbomError {
  if (cause instanceof SbomError) return cause;
  if (!isDamage(cause)) return new SbomError('layer_unreadable', `cannot read the layer ${name}`, { cause });
  return new SbomError('layer_corrupt', `the layer ${name} is damaged, after ${inflated} good bytes`, {
    cause,
    hint: 'A layer is a tar archive, plain or compressed with gzip or zstd; fetch it again.',
  });
}

/** Decompressors name their faults Z_DATA_ERROR, ZSTD_error_corruption_detected and so on. */
function isDamage(cause: unknown): boolean {
  if (cause instanceof ArchiveFault) return true;
  return cause instanceof Error && 'code' in cause && /^Z(STD)?_/.test(String(cause.code));
}
