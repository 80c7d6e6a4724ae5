import { open } from 'node:fs/promises';
import { posix } from 'node:path';
import { ArchiveFault } from '../layer/archive-fault.ts';
import type { TarEntry } from '../layer/tar-entry.ts';
import { TarReader } from '../layer/tar-reader.ts';

/** Where the content of a file lies in an archive. */
export interface ArchivePlace {
  readonly position: number;
  readonly size: number;
}

/** By paths: where files lie, or the path that a link leads to. */
export type ArchiveIndex = ReadonlyMap<string, ArchivePlace | string>;

/** 127 layers are the most that runtimes take; the oldest form of archive has four entries for each. */
const MAX_FILES = 10_000;
/** One read of the disk, which holds a header and mostly the document after it. */
const READ_BYTES = 64 * 1024;
/** Exporters write links to files, and none to links; the bound is for circles. */
const MAX_LINKS = 8;

/** Finds all files of a tar archive, from header to header. Throws ArchiveFault or a system error. */
export async function indexArchive(path: string): Promise<ArchiveIndex> {
  await using archive = await open(path);
  const { size } = await archive.stat();
  const index = new Map<string, ArchivePlace | string>();
  const reader = new TarReader((entry) => {
    if (index.size === MAX_FILES) throw new ArchiveFault(`more than ${MAX_FILES} files`);
    if (entry.position + entry.bodySize > size) throw new ArchiveFault('an end inside an entry');
    const path = clean(entry.name);
    const place = placeOf(path, entry);
    if (place !== undefined) index.set(path, place);
    return undefined;
  });
  for (let position = 0; position < size && !reader.ended; ) {
    const { bytesRead, buffer } = await archive.read(Buffer.alloc(READ_BYTES), 0, READ_BYTES, position);
    if (bytesRead === 0) break;
    reader.write(buffer.subarray(0, bytesRead));
    position += bytesRead + reader.skippable;
    reader.skip();
  }
  reader.end();
  return index;
}

/** Where an entry's content is to be found, by its own path; undefined for what has none. */
function placeOf(path: string, entry: TarEntry): ArchivePlace | string | undefined {
  if (entry.type === 'file') return { position: entry.position, size: entry.bodySize };
  if (entry.type === 'hardlink') return clean(entry.linkname);
  if (entry.type === 'symlink') return clean(posix.join(posix.dirname(path), entry.linkname));
  return undefined;
}

/** The place of a file, also if it is a link: exports of Docker before 25 have those where layers are alike. */
export function findPlace(index: ArchiveIndex, path: string): ArchivePlace | undefined {
  let found: ArchivePlace | string | undefined = clean(path);
  for (let links = 0; typeof found === 'string' && links <= MAX_LINKS; links++) found = index.get(found);
  return typeof found === 'string' ? undefined : found;
}

function clean(path: string): string {
  return posix.join('/', path).slice(1);
}
