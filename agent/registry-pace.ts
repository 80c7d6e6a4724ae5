import { Readable } from 'node:stream';
import { RegistryError } from '@gatehouse/registry';

/** How slow a registry may be. */
export interface LeastPace {
  readonly bytesPerSecond: number;
  /** So long it may be slower. */
  readonly graceMs: number;
}

/** A layer of 100 MB takes seven minutes so. All images wait for one: with a registry that lets bytes drip, a minute. */
const LEAST_PACE: LeastPace = { bytesPerSecond: 256 * 1024, graceMs: 60_000 };

/** The bytes of a source, as long as it does not keep whoever reads it waiting for too long. */
export function paced(source: Readable, host: string, pace: LeastPace = LEAST_PACE): Readable {
  return Readable.from(readPaced(source, host, pace), { objectMode: false });
}

async function* readPaced(
  source: Readable,
  host: string,
  { bytesPerSecond, graceMs }: LeastPace,
): AsyncGenerator<Buffer, void, undefined> {
  let waitedMs = 0;
  let bytes = 0;
  let since = performance.now();
  for await (const chunk of source as AsyncIterable<Buffer>) {
    // What the reader takes for itself is not the registry's fault.
    waitedMs += performance.now() - since;
    bytes += chunk.length;
    if (waitedMs > graceMs && bytes / waitedMs < bytesPerSecond / 1000)
      throw new RegistryError(
        'registry_unreachable',
        `${host} sends less than ${bytesPerSecond} bytes a second`,
      );
    yield chunk;
    since = performance.now();
  }
}
