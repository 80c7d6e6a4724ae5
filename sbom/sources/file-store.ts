import { createHash } from 'node:crypto';
import type { Readable } from 'node:stream';
import { buffer } from 'node:stream/consumers';
import { SbomError } from '../errors.ts';
import { JsonValue } from '../json-shape.ts';

/** The files of an image, in a folder or in an archive. */
export interface FileStore extends AsyncDisposable {
  /** What error messages call it. */
  readonly name: string;
  /** The size of a file; undefined if there is none. */
  sizeOf(path: string): Promise<number | undefined>;
  open(path: string): Readable;
}

/** Registries refuse manifests of more than 4 MiB; configs and indexes are no larger. */
const MAX_JSON_BYTES = 4 * 1024 * 1024;

/**
 * What `parse` makes of a document, and the digest that the document has; with `digest`, another one is an error.
 * Throws SbomError `source_corrupt` or `source_unreadable`.
 */
export async function readDocument<T>(
  store: FileStore,
  path: string,
  parse: (value: JsonValue) => T,
  digest?: string,
): Promise<{ readonly parsed: T; readonly digest: string; readonly bytes: Buffer }> {
  const bytes = await readBytes(store, path);
  const actual = `sha256:${createHash('sha256').update(bytes).digest('hex')}`;
  if (actual !== (digest ?? actual)) throw corrupt(store, `has ${path} with the digest ${actual}`);
  try {
    return { parsed: parse(new JsonValue(JSON.parse(bytes.toString('utf8')), path)), digest: actual, bytes };
  } catch (cause) {
    throw corrupt(store, `has ${path} that cannot be understood`, cause);
  }
}

async function readBytes(store: FileStore, path: string): Promise<Buffer> {
  const size = await store.sizeOf(path);
  if (size === undefined) throw corrupt(store, `has no ${path}`);
  if (size > MAX_JSON_BYTES) throw corrupt(store, `has ${path} with ${size} bytes`);
  try {
    return await buffer(store.open(path));
  } catch (cause) {
    throw new SbomError('source_unreadable', `cannot read ${path} in ${store.name}`, { cause });
  }
}

export function corrupt(store: FileStore, what: string, cause?: unknown): SbomError {
  return new SbomError('source_corrupt', `${store.name} ${what}`, { cause });
}
