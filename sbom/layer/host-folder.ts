import { constants, lstatSync, openSync } from 'node:fs';

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
