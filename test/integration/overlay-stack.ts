import { execFileSync } from 'node:child_process';
import { lstatSync, mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';

/** One change that a build step or a container makes to its root. Paths are relative to it. */
export type Change =
  | { readonly what: 'write'; readonly path: string; readonly content: string }
  | { readonly what: 'link'; readonly path: string; readonly target: string }
  | { readonly what: 'make'; readonly path: string }
  | { readonly what: 'remove'; readonly path: string }
  /** Removed and made again: the kernel marks the folder as opaque if a lower layer has one there. */
  | { readonly what: 'renew'; readonly path: string };

/** A place of its own for layers and mounts, gone with all of them when it is disposed of. */
export class OverlayBench implements Disposable {
  readonly #root = mkdtempSync(join(tmpdir(), 'overlay-'));
  #made = 0;

  constructor() {
    // Overlayfs cannot lie on overlayfs, which the temporary folder of a container is on.
    run('mount', '-t', 'tmpfs', 'overlay-bench', this.#root);
  }

  /** An empty folder. */
  folder(): string {
    this.#made += 1;
    const folder = join(this.#root, String(this.#made));
    mkdirSync(folder);
    return folder;
  }

  /** Layers as a builder makes them: each one is what the kernel writes into the upper folder while changes are made. */
  build(steps: readonly (readonly Change[])[]): string[] {
    const layers: string[] = [];
    for (const changes of steps) {
      const upper = this.folder();
      using mounted = this.mount([...layers], upper);
      for (const change of changes) apply(mounted.path, change);
      layers.push(upper);
    }
    return layers;
  }

  /** Mounts layers, bottom first, read-only unless there is an upper folder to write to. */
  mount(layers: readonly string[], upper?: string): Disposable & { readonly path: string } {
    const path = this.folder();
    // The kernel wants two lower folders if there is no upper one, and one in any case.
    const lower = [...layers.toReversed(), this.folder(), this.folder()].join(':');
    const writable = upper === undefined ? '' : `,upperdir=${upper},workdir=${this.folder()}`;
    run('mount', '-t', 'overlay', 'overlay-bench', '-o', `lowerdir=${lower}${writable}`, path);
    return { path, [Symbol.dispose]: () => run('umount', path) };
  }

  /** Hides a folder as a volume of a container does. */
  mountOver(path: string): Disposable {
    run('mount', '-t', 'tmpfs', 'overlay-bench', path);
    return { [Symbol.dispose]: () => run('umount', path) };
  }

  [Symbol.dispose](): void {
    run('umount', this.#root);
    rmSync(this.#root, { recursive: true });
  }
}

function run(command: string, ...args: string[]): void {
  execFileSync(command, args, { stdio: ['ignore', 'ignore', 'inherit'] });
}

/** Makes a change without ever passing through a link, which could lead out of the root. */
export function apply(root: string, change: Change): void {
  const path = join(root, change.path);
  if (change.what === 'remove') {
    if (isFolder(root, dirname(change.path))) rmSync(path, { recursive: true, force: true });
    return;
  }
  makeFolder(root, dirname(change.path));
  if (change.what === 'make') {
    makeFolder(root, change.path);
    return;
  }
  rmSync(path, { recursive: true, force: true });
  if (change.what === 'write') writeFileSync(path, change.content);
  if (change.what === 'link') symlinkSync(change.target, path);
  if (change.what === 'renew') mkdirSync(path);
}

function makeFolder(root: string, path: string): void {
  if (path === '.') return;
  makeFolder(root, dirname(path));
  const host = join(root, path);
  if (lstatSync(host, { throwIfNoEntry: false })?.isDirectory()) return;
  rmSync(host, { force: true });
  mkdirSync(host);
}

function isFolder(root: string, path: string): boolean {
  if (path === '.') return true;
  if (!isFolder(root, dirname(path))) return false;
  return lstatSync(join(root, path), { throwIfNoEntry: false })?.isDirectory() ?? false;
}
