import { closeSync, constants, fstatSync, lstatSync, openSync, readlinkSync } from 'node:fs';
import { SbomError } from '../errors.ts';
import type { Problem } from '../fragment.ts';
import type { HostFolder } from './host-folder.ts';

/** Linux has the same number for it on x64 and arm64; Node.js does not name it. What is opened so is only pointed at. */
const O_PATH = 0o10000000;
const FOLDER_FLAGS = O_PATH | constants.O_DIRECTORY | constants.O_NOFOLLOW;

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
    return this.#in(path, use);
  }

  #in<T>(path: string, use: (host: string) => T): T | undefined {
    const folder = this.look(() => openSync(`${this.#root}/${path}`, FOLDER_FLAGS));
    if (folder === undefined) return undefined;
    return withDescriptor(folder, () => {
      if (this.look(() => placeOf(folder)) !== this.#placeOf(path)) return undefined;
      if (fstatSync(folder).dev !== this.device) return this.leaveOut(path, 'mounted');
      return this.look(() => use(hostOf(folder)));
    });
  }

  /** Only what is a regular file is opened to be read: opening a device can do something. */
  open(path: string): number | undefined {
    const end = path.lastIndexOf('/');
    return this.#in(path.slice(0, Math.max(0, end)), (host) => {
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

  /** Of a container it goes without saying that what is mounted into it is not of its image. */
  protected leaveOut(_path: string, _code: LeftOut['code']): undefined {
    return undefined;
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

/** A folder or a file that is not read, and why. */
type LeftOut = Problem & { readonly code: 'not_permitted' | 'mounted' };

/** What the system says to those who may not read something, or where a disk or the other end of a mount fails. */
const UNREADABLE = new Set(['EACCES', 'EPERM', 'EIO', 'ENOTCONN']);

/**
 * A folder that somebody wants to know about for itself, such as the root of this machine: it goes on changing, and most
 * people may not read all of it. What is left out is kept to be told.
 */
export class OwnFolder extends LiveFolder {
  readonly #leftOut = new Map<string, LeftOut>();

  get leftOut(): readonly Problem[] {
    return this.#leftOut.values().toArray();
  }

  override within<T>(path: string, use: (host: string) => T): T | undefined {
    return this.#permitted(path, () => super.within(path, use));
  }

  override open(path: string): number | undefined {
    return this.#permitted(path, () => super.open(path));
  }

  protected override leaveOut(path: string, code: LeftOut['code']): undefined {
    this.#leftOut.set(path, { path, code });
  }

  #permitted<T>(path: string, read: () => T): T | undefined {
    try {
      return read();
    } catch (error) {
      if (!UNREADABLE.has((error as NodeJS.ErrnoException).code ?? '')) throw error;
      return this.leaveOut(path, 'not_permitted');
    }
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
