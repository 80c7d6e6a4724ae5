import type { IncomingMessage } from 'node:http';
import { RegistryError } from './errors.ts';

/**
 * The body of an answer, piece by piece. It breaks off where nothing comes for a while; the time that the reader takes
 * for a piece does not count. Throws RegistryError `registry_unreachable`.
 */
export async function* bodyOf(
  response: IncomingMessage,
  host: string,
  stall: number,
): AsyncGenerator<Buffer, void, undefined> {
  const pieces = (response as AsyncIterable<Buffer>)[Symbol.asyncIterator]();
  try {
    for (;;) {
      const waiting = setTimeout(() => response.destroy(new Error(`no data for ${stall} ms`)), stall);
      const piece = await pieces.next().finally(() => clearTimeout(waiting));
      if (piece.done) return;
      yield piece.value;
    }
  } catch (cause) {
    throw new RegistryError('registry_unreachable', `${host} broke off in the midst of an answer`, { cause });
  } finally {
    response.destroy();
  }
}

/** The whole body of an answer. Throws RegistryError, `content_too_large` beyond `most` bytes. */
export async function readBytes(
  response: IncomingMessage,
  host: string,
  { most, stall }: { readonly most: number; readonly stall: number },
): Promise<Buffer> {
  const pieces: Buffer[] = [];
  let size = 0;
  for await (const piece of bodyOf(response, host, stall)) {
    size += piece.length;
    if (size > most) {
      throw new RegistryError('content_too_large', `${host} sends more than ${most} bytes where less is due`);
    }
    pieces.push(piece);
  }
  return Buffer.concat(pieces);
}

export async function readText(
  response: IncomingMessage,
  host: string,
  limits: { readonly most: number; readonly stall: number },
): Promise<string> {
  return (await readBytes(response, host, limits)).toString('utf8');
}
