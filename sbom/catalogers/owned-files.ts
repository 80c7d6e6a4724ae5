import { MAX_ENTRIES, MAX_PATH_BYTES, MAX_PATHS_LENGTH } from '../fragment.ts';
import type { PackageName } from '../package.ts';
import type { Ownership } from './cataloger.ts';

/**
 * The files that a package manager says to have put there. Databases name each folder once for all that is in it, so
 * that a small one can stand for endless paths; a layer that has more than are kept here is not read anyway.
 */
export class OwnedFiles {
  readonly #owns: Ownership[] = [];
  /** Of the package that is being read. */
  #paths: string[] = [];
  #count = 0;
  #length = 0;
  #isFull = false;

  get owns(): readonly Ownership[] {
    return this.#owns;
  }

  /** Whether files were left out. */
  get isFull(): boolean {
    return this.#isFull;
  }

  /** The folder is empty or ends with a slash; whether it begins with one makes no difference. */
  add(folder: string, name: string): void {
    const length = folder.length + name.length;
    if (length === 0 || length > MAX_PATH_BYTES) return;
    this.#isFull ||= this.#count >= MAX_ENTRIES || this.#length + length > MAX_PATHS_LENGTH;
    if (this.#isFull) return;
    this.#count += 1;
    this.#length += length;
    const path = folder + name;
    this.#paths.push(path.startsWith('/') ? path.slice(1) : path);
  }

  /** All that was added since the last package is this one's. */
  endPackage(owner: PackageName | undefined): void {
    if (this.#paths.length === 0) return;
    this.#owns.push({ owner, paths: this.#paths });
    this.#paths = [];
  }
}
