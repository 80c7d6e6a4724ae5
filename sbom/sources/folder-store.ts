import { stat } from 'node:fs/promises';
import { join } from 'node:path';
import type { Readable } from 'node:stream';
import { SbomError } from '../errors.ts';
import { streamFile } from '../layer/blob-reader.ts';
import type { FileStore } from './file-store.ts';

/** A folder with the files of an image in it. */
export class FolderStore implements FileStore {
  readonly name: string;

  constructor(folder: string) {
    this.name = folder;
  }

  async sizeOf(path: string): Promise<number | undefined> {
    try {
      return (await stat(join(this.name, path))).size;
    } catch (cause) {
      if (cause instanceof Error && 'code' in cause && cause.code === 'ENOENT') return undefined;
      throw new SbomError('source_unreadable', `cannot read ${path} in ${this.name}`, { cause });
    }
  }

  open(path: string): Readable {
    return streamFile(join(this.name, path));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    // Files are opened when they are read, and closed at their end.
  }
}
