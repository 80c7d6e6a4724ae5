import { constants } from 'node:fs';
import { type FileHandle, lstat, open, stat } from 'node:fs/promises';
import type { OverlayRoot } from './mounts.ts';

/** Programs of 200 MB there are; a larger one in the container's own folder is taken for written. */
const MAX_COMPARED_BYTES = 512 * 1024 * 1024;
const CHUNK_BYTES = 256 * 1024;

/** A node has some hundred programs that were copied so. */
const MAX_REMEMBERED = 1_000;

/** A program that runs. */
export interface Program {
  /** Where this process sees the root of the node. */
  readonly node: string;
  /** Its path in the container. */
  readonly path: string;
  /** The link in /proc to it. */
  readonly exe: string;
}

/**
 * Tells what was written into a container from what the image has there: to change the owner or the rights of a file, too,
 * copies it into the container's own folder.
 */
export class WrittenPrograms {
  /** Files of which it is known that they are mere copies. A file that is changed gets another time. */
  readonly #copies = new Set<string>();

  async isWritten({ upper, lowers }: OverlayRoot, { node, path, exe }: Program): Promise<boolean> {
    if (!(await isPlainFile(node + upper, path))) return false;
    const file = await identityOf(exe);
    if (file !== undefined && this.#copies.has(file)) return false;
    for (const lower of lowers) {
      if (!(await isPlainFile(node + lower, path))) continue;
      if (!(await isSameContent(exe, `${node}${lower}${path}`))) return true;
      if (this.#copies.size >= MAX_REMEMBERED) this.#copies.clear();
      if (file !== undefined) this.#copies.add(file);
      return false;
    }
    return true;
  }
}

async function identityOf(exe: string): Promise<string | undefined> {
  const stats = await stat(exe, { bigint: true }).catch(() => undefined);
  return stats && `${stats.dev} ${stats.ino} ${stats.ctimeNs}`;
}

/** Looked up name by name: a link on the way would lead out of the folder, into the node itself. */
async function isPlainFile(folder: string, path: string): Promise<boolean> {
  let place = folder;
  const names = path.split('/').slice(1);
  for (const [index, name] of names.entries()) {
    place = `${place}/${name}`;
    const stats = await lstat(place).catch(() => undefined);
    const fits = index === names.length - 1 ? stats?.isFile() : stats?.isDirectory();
    if (!fits) return false;
  }
  return true;
}

async function isSameContent(one: string, other: string): Promise<boolean> {
  try {
    await using a = await open(one);
    await using b = await open(other, constants.O_RDONLY | constants.O_NOFOLLOW);
    const [{ size }, { size: otherSize }] = [await a.stat(), await b.stat()];
    if (size !== otherSize || size > MAX_COMPARED_BYTES) return false;
    for (let at = 0; at < size; at += CHUNK_BYTES) {
      if (!(await readAt(a, at)).equals(await readAt(b, at))) return false;
    }
    return true;
  } catch {
    // It has ended by now, or the image is being removed.
    return false;
  }
}

async function readAt(file: FileHandle, position: number): Promise<Buffer> {
  const { buffer, bytesRead } = await file.read(Buffer.allocUnsafe(CHUNK_BYTES), 0, CHUNK_BYTES, position);
  return buffer.subarray(0, bytesRead);
}
