import { lstatSync, readdirSync, type Stats } from 'node:fs';
import { posix } from 'node:path';
import type { HostFolder } from './host-folder.ts';

/**
 * What stands at a path: `blocked` if something that is not a folder stands above it, so that nothing of any lower
 * layer is seen there either.
 */
export type DiskEntry = 'absent' | 'blocked' | 'folder' | 'file' | 'symlink' | 'whiteout' | 'other';

/** The root that a path of the image is looked up in: every step is checked, so that none leads through a link. */
export class DiskFolder {
  readonly #folder: HostFolder;
  readonly #entries = new Map<string, DiskEntry>();
  readonly #names = new Map<string, ReadonlySet<string>>();

  constructor(folder: HostFolder) {
    this.#folder = folder;
    this.#entries.set('', 'folder');
  }

  entry(path: string): DiskEntry {
    let entry = this.#entries.get(path);
    if (entry === undefined) {
      entry = this.#lookUp(path);
      this.#entries.set(path, entry);
    }
    return entry;
  }

  /** The names in a folder; none if there is no folder. */
  names(path: string): ReadonlySet<string> {
    let names = this.#names.get(path);
    if (names === undefined) {
      // A live folder checks every step by itself, and at the moment that counts.
      const isFolder = this.#folder.isLive || this.entry(path) === 'folder';
      const list = isFolder ? this.#folder.within(path, (host) => readdirSync(host)) : undefined;
      if (list) this.#entries.set(path, 'folder');
      names = new Set(list);
      this.#names.set(path, names);
    }
    return names;
  }

  /** Size and mode of what `entry` calls a file. */
  stats(path: string): Stats | undefined {
    const { dir, base } = posix.parse(path);
    return this.#folder.within(dir, (host) => lstatSync(`${host}/${base}`, { throwIfNoEntry: false }));
  }

  /** A descriptor of what `entry` calls a file. */
  open(path: string): number | undefined {
    return this.#folder.open(path);
  }

  #lookUp(path: string): DiskEntry {
    const parent = posix.dirname(path);
    const above = this.entry(parent === '.' ? '' : parent);
    if (above === 'absent') return 'absent';
    if (above !== 'folder') return 'blocked';
    const stats = this.stats(path);
    if (stats === undefined) return 'absent';
    return this.#classify(stats);
  }

  #classify(stats: Stats): DiskEntry {
    // A folder of another file system is something that was mounted here, not a part of the image.
    if (stats.isDirectory()) return stats.dev === this.#folder.device ? 'folder' : 'other';
    if (stats.isFile()) return 'file';
    if (stats.isSymbolicLink()) return 'symlink';
    return isWhiteout(stats) ? 'whiteout' : 'other';
  }
}

/** Overlayfs writes a character device 0:0 where something of a lower layer was removed. */
export function isWhiteout(stats: Stats): boolean {
  return stats.isCharacterDevice() && stats.rdev === 0;
}
