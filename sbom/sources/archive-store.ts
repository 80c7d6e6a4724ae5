import { Readable } from 'node:stream';
import { SbomError } from '../errors.ts';
import { streamFile } from '../layer/blob-reader.ts';
import { type ArchivePlace, findPlace, indexArchive } from './archive-index.ts';
import type { FileStore } from './file-store.ts';
import { inflateArchive } from './inflate-archive.ts';

/**
 * The files in a tar archive, which is indexed once and then read where they lie. A compressed archive is unpacked to
 * a temporary file first. Throws SbomError `source_corrupt` or `source_unreadable`.
 */
export async function openArchive(path: string): Promise<FileStore> {
  await using resources = new AsyncDisposableStack();
  try {
    const archive = await inflateArchive(path, resources);
    const places = await indexArchive(archive);
    const owned = resources.move();
    return {
      name: path,
      sizeOf: async (file) => findPlace(places, file)?.size,
      open: (file) => openPlace(archive, findPlace(places, file)),
      [Symbol.asyncDispose]: () => owned.disposeAsync(),
    };
  } catch (cause) {
    const isSystemError = cause instanceof Error && 'syscall' in cause;
    if (isSystemError) throw new SbomError('source_unreadable', `cannot read ${path}`, { cause });
    throw new SbomError('source_corrupt', `${path} is not a tar archive, or is damaged`, { cause });
  }
}

function openPlace(archive: string, place: ArchivePlace | undefined): Readable {
  if (place === undefined) throw new RangeError('the file was not found before');
  const { position, size } = place;
  return size === 0 ? Readable.from([]) : streamFile(archive, { start: position, end: position + size - 1 });
}
