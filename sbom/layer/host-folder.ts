import { closeSync, constants, fstatSync, lstatSync, openSync, readlinkSync } from 'node:fs';
import { SbomError } from '../errors.ts';

/** A folder of this machine that holds the root of a layer or of a container. Paths are relative to it, and clean. */
export interface HostFolder {
  /** The file system that it is on: a folder of another one was mounted into it. */
  readonly device: number;
  /** Somebody may write to it. */
  readonly isLive: boolean;
  /** Calls `use` with where a folder is now, which is so until `use` returns; undefined if there is no such folder. */
  within<T>(path: string, use: (host: string) => T): T | undefined;
  /** A descriptor to read a file by; undefined if there is none. */
  open(path: string): number | undefined;
  /** What a call to the system gives; undefined if it fails because somebody has taken away what it is about. */
  look<T>(call: () => T): T | undefined;
}

/** Never through a link, and never waiting for the other end of a FIFO that took the file's place. */
const FILE_FLAGS = constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK;
/** Linux has the same number for it on x64 and arm64; Node.js does not name it. What is opened so is only pointed at. */
const O_PATH = 0o10000000;
const FOLDER_FLAGS = O_PATH | constants.O_DIRECTORY | constants.O_NOFOLLOW;

/** A folder that nobody writes to any more, as those of unpacked layers. */
export class StillFolder implements HostFolder {
  readonly device: number;
  readonly isLive = false;
  readonly #root: string;

  constructor(root: string) {
    this.#root = root;
    this.device = lstatSync(root).dev;
  }

  within<T>(path: string, use: (host: string) => T): T {
    return use(path === '' ? this.#root : `${this.#root}/${path}`);
  }

  open(path: string): number {
    return openSync(`${this.#root}/${path}`, FILE_FLAGS);
  }

  /** What is missing here is a layer that is being removed, which is no layer to read. */
  look<T>(call: () => T): T {
    return call();
  }
}

/** What the system says where something has gone, or has become something else, since it was listed. */
const GONE = new Set(['ENOENT', 'ENOTDIR', 'ELOOP', 'EINVAL', 'ENXIO', 'ENAMETOOLONG', 'ESTALE']);

/**
 * A folder that a container writes to while it is read. Whoever is in the container may put a link in the place of any
 * folder at any moment, which would lead out of the root: so each folder is opened first, and then the kernel is asked
 * where it really is. What has gone, or moved, is taken as not there. No descriptor outlives the call that it is for, as
 * one would keep the runtime from taking the container's root away.
 */
export class LiveFolder implements HostFolder {
  readonly device: number;
  readonly isLive = true;
  readonly #root: string;
  /** As the kernel calls the root. */
  readonly #place: string;
  readonly #inode: number;

  constructor(root: string) {
    this.#root = root;
    const { place, device, inode } = withDescriptor(openSync(root, FOLDER_FLAGS), (folder) => {
      const { dev, ino } = fstatSync(folder);
      return { place: placeOf(folder), device: dev, inode: ino };
    });
    this.#place = place;
    this.device = device;
    this.#inode = inode;
  }

  within<T>(path: string, use: (host: string) => T): T | undefined {
    const folder = this.look(() => openSync(`${this.#root}/${path}`, FOLDER_FLAGS));
    if (folder === undefined) return undefined;
    return withDescriptor(folder, () => {
      const isHere = this.look(() => placeOf(folder)) === this.#placeOf(path);
      if (!isHere || fstatSync(folder).dev !== this.device) return undefined;
      return this.look(() => use(hostOf(folder)));
    });
  }

  /** Only what is a regular file is opened to be read: opening a device can do something. */
  open(path: string): number | undefined {
    const end = path.lastIndexOf('/');
    return this.within(path.slice(0, Math.max(0, end)), (host) => {
      const pointer = openSync(`${host}/${path.slice(end + 1)}`, O_PATH | constants.O_NOFOLLOW);
      return withDescriptor(pointer, () =>
        fstatSync(pointer).isFile() ? openSync(hostOf(pointer), constants.O_RDONLY) : undefined,
      );
    });
  }

  look<T>(call: () => T): T | undefined {
    try {
      return call();
    } catch (error) {
      if (GONE.has((error as NodeJS.ErrnoException).code ?? '')) return undefined;
      throw error;
    }
  }

  /** Throws SbomError `layer_unreadable` if something else is at its place by now, such as nothing. */
  mustBeThere(): void {
    const stats = lstatSync(this.#root, { throwIfNoEntry: false });
    if (stats?.dev === this.device && stats.ino === this.#inode) return;
    throw new SbomError('layer_unreadable', `the container ended while its root ${this.#root} was read`);
  }

  #placeOf(path: string): string {
    if (path === '') return this.#place;
    return this.#place === '/' ? `/${path}` : `${this.#place}/${path}`;
  }
}

function hostOf(descriptor: number): string {
  return `/proc/self/fd/${descriptor}`;
}

/** The path of what a descriptor was opened on, without any link in it. */
function placeOf(descriptor: number): string {
  return readlinkSync(hostOf(descriptor));
}

function withDescriptor<T>(descriptor: number, use: (descriptor: number) => T): T {
  try {
    return use(descriptor);
  } finally {
    closeSync(descriptor);
  }
}
