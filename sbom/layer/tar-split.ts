import { constants, createReadStream } from 'node:fs';
import { open, realpath } from 'node:fs/promises';
import { posix } from 'node:path';
import { pipeline, Readable } from 'node:stream';
import { createGunzip } from 'node:zlib';
import { SbomError } from '../errors.ts';
import { MAX_ENTRIES } from '../fragment.ts';
import { JsonValue } from '../json-shape.ts';
import type { LayerBlob } from './blob-reader.ts';
import { DiskFolder } from './disk-folder.ts';
import { StillFolder } from './host-folder.ts';

/**
 * What Docker and containers-storage keep of a layer's archive when they unpack it: everything but the content of
 * files, as gzipped lines of JSON (github.com/vbatts/tar-split, tar/storage/entry.go). With the files it makes the very
 * archive again, and by itself it names the whiteouts as the archive had them.
 */
export interface TarSplit {
  /** What error messages call the layer. */
  readonly name: string;
  /** The lines. */
  readonly file: string;
  /** Where the layer was unpacked to. */
  readonly folder: string;
}

/** Bytes of the archive as they are, or a file of it. */
type Entry =
  | { readonly kind: 'bytes'; readonly bytes: Buffer }
  | { readonly kind: 'file'; readonly path: Buffer; readonly size: number };

/** A line holds the headers of an entry, with paths and attributes: megabytes at most, in base64. */
const MAX_LINE_BYTES = 16 * 1024 * 1024;
const FILE_TYPE = 1;
const SEGMENT_TYPE = 2;
const NEWLINE = 0x0a;
const SLASH = 0x2f;
const EMPTY = Buffer.alloc(0);
const OPEN_FLAGS = constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK;
const CHUNK_BYTES = 256 * 1024;
const OPAQUE_WHITEOUT = '.wh..wh..opq';
/** An archive may also mark folders as overlayfs does, in headers, which are not looked into here. */
const OVERLAY_ATTRIBUTE = 'trusted.overlay.';

/** The archive that a layer was unpacked from, put together from what is left of it. */
export function tarSplitBlob(split: TarSplit): LayerBlob {
  return { name: split.name, open: () => Readable.from(archiveOf(split), { objectMode: false }) };
}

async function* archiveOf(split: TarSplit): AsyncGenerator<Buffer, void, undefined> {
  const root = Buffer.from(await realpath(split.folder));
  for await (const entry of entriesOf(split)) {
    if (entry.kind === 'bytes') yield entry.bytes;
    else if (entry.size > 0) yield* contentOf(root, entry, split.name);
  }
}

/** The content of a file. The image chose its name, so no link is followed on the way to it. */
async function* contentOf(
  root: Buffer,
  { path, size }: { path: Buffer; size: number },
  name: string,
): AsyncGenerator<Buffer, void, undefined> {
  // Each byte is one character here, for a name need not be UTF-8.
  const [folder, base] = [posix.dirname, posix.basename].map((of) =>
    Buffer.from(of(posix.join('/', path.toString('latin1'))), 'latin1'),
  );
  const parent = Buffer.concat([root, folder ?? EMPTY]);
  const real = await realpath(parent, { encoding: 'buffer' });
  if (!real.equals(parent.at(-1) === SLASH ? parent.subarray(0, -1) : parent))
    throw lacks(name, path, 'it stands behind a link');
  await using file = await open(Buffer.concat([real, Buffer.from('/'), base ?? EMPTY]), OPEN_FLAGS);
  if (!(await file.stat()).isFile()) throw lacks(name, path, 'it is no file');
  let read = 0;
  while (read < size) {
    const chunk = Buffer.allocUnsafe(Math.min(CHUNK_BYTES, size - read));
    const { bytesRead } = await file.read(chunk, 0, chunk.length, read);
    if (bytesRead === 0) throw lacks(name, path, `it has ${read} of ${size} bytes`);
    read += bytesRead;
    yield chunk.subarray(0, bytesRead);
  }
}

function lacks(name: string, path: Buffer, why: string): SbomError {
  return new SbomError('layer_unreadable', `the folder of the layer ${name} lacks '${path}': ${why}`);
}

/**
 * The opaque folders of a layer, if they can be told for certain without the archive's headers; else undefined. Throws
 * SbomError `layer_unreadable` or `layer_too_large`.
 */
export async function tarSplitOpaques(split: TarSplit): Promise<ReadonlySet<string> | undefined> {
  const counts = new Map<string, number>();
  for await (const entry of entriesOf(split)) {
    if (entry.kind === 'bytes') {
      if (entry.bytes.includes(OVERLAY_ATTRIBUTE)) return undefined;
      continue;
    }
    const path = posix.join('/', entry.path.toString('utf8')).replace(/\/$/, '').slice(1);
    counts.set(path, (counts.get(path) ?? 0) + 1);
    if (counts.size > MAX_ENTRIES) {
      throw new SbomError('layer_too_large', `the layer ${split.name} has more than ${MAX_ENTRIES} entries`);
    }
  }
  const opaques = [...counts.keys()]
    .filter((path) => posix.basename(path) === OPAQUE_WHITEOUT)
    .map((path) => (path === OPAQUE_WHITEOUT ? '' : posix.dirname(path)));
  const folder = new DiskFolder(new StillFolder(split.folder));
  return opaques.every((path) => folder.entry(path) === 'folder' && stoodStill(path, counts))
    ? new Set(opaques)
    : undefined;
}

/** Whether the archive has not taken a folder, or one above it, away again and made it anew. */
function stoodStill(path: string, counts: ReadonlyMap<string, number>): boolean {
  if (path === '' || path === '.') return true;
  const parent = posix.dirname(path);
  const whiteout = posix.join(parent, `.wh.${posix.basename(path)}`);
  return (counts.get(path) ?? 0) <= 1 && !counts.has(whiteout) && stoodStill(parent, counts);
}

async function* entriesOf({ name, file }: TarSplit): AsyncGenerator<Entry, void, undefined> {
  try {
    for await (const line of linesOf(inflated(file))) yield parseEntry(line);
  } catch (cause) {
    throw new SbomError('layer_unreadable', `cannot read what is kept of the archive of ${name} in ${file}`, {
      cause,
    });
  }
}

function inflated(file: string): AsyncIterable<Buffer> {
  // Its faults come out where it is read.
  return pipeline(createReadStream(file), createGunzip(), () => undefined);
}

async function* linesOf(chunks: AsyncIterable<Buffer>): AsyncGenerator<Buffer, void, undefined> {
  let rest: Buffer[] = [];
  let length = 0;
  for await (const chunk of chunks) {
    let start = 0;
    for (let end = chunk.indexOf(NEWLINE); end >= 0; end = chunk.indexOf(NEWLINE, start)) {
      yield Buffer.concat([...rest, chunk.subarray(start, end)]);
      [rest, length, start] = [[], 0, end + 1];
    }
    rest.push(chunk.subarray(start));
    length += chunk.length - start;
    if (length > MAX_LINE_BYTES) throw new Error(`a line has more than ${MAX_LINE_BYTES} bytes`);
  }
  if (length > 0) yield Buffer.concat(rest);
}

function parseEntry(line: Buffer): Entry {
  const value = new JsonValue(JSON.parse(line.toString('utf8')), 'entry');
  const type = value.get('type').oneOf([FILE_TYPE, SEGMENT_TYPE]);
  if (type === SEGMENT_TYPE) return { kind: 'bytes', bytes: value.get('payload').optional(base64) ?? EMPTY };
  // Names that are not UTF-8 stand in another field.
  const path = value.get('name_raw').optional(base64) ?? value.get('name').optional(utf8) ?? EMPTY;
  return { kind: 'file', path, size: value.get('size').optional((each) => each.count()) ?? 0 };
}

const base64 = (value: JsonValue): Buffer =>
  Buffer.from(
    value.text(() => true, 'base64'),
    'base64',
  );
const utf8 = (value: JsonValue): Buffer => Buffer.from(value.text(() => true, 'a name'));
