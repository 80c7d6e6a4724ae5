import { mkdir, mkdtempDisposable, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';

const SNAPSHOTS = '/snapshots';

/**
 * A node with a /proc of files and links, as the kernel would show it, of which one container is a part: its root is
 * made of the folders `upper` and `lower`.
 */
export class ProcNode implements AsyncDisposable {
  readonly root: string;
  readonly #remove: () => Promise<void>;

  private constructor(root: string, remove: () => Promise<void>) {
    this.root = root;
    this.#remove = remove;
  }

  static async make(): Promise<ProcNode> {
    const folder = await mkdtempDisposable(path.join(tmpdir(), 'gatehouse-proc-'));
    const node = new ProcNode(folder.path, () => folder.remove());
    for (const each of ['upper', 'lower'])
      await mkdir(`${folder.path}${SNAPSHOTS}/${each}/fs`, { recursive: true });
    await node.run(1, { exe: '/sbin/init', mounts: 'node' });
    return node;
  }

  /** Puts a process there, in place of the one of that number. */
  async run(
    pid: number,
    process: {
      readonly exe: string;
      readonly maps?: readonly string[];
      readonly open?: readonly string[];
      readonly mounts?: string;
      readonly mounted?: readonly string[];
    },
  ): Promise<void> {
    const folder = `${this.root}/proc/${pid}`;
    await this.end(pid);
    await mkdir(`${folder}/ns`, { recursive: true });
    await mkdir(`${folder}/fd`);
    await symlink(process.exe, `${folder}/exe`);
    await symlink(process.mounts ?? 'mnt:[2]', `${folder}/ns/mnt`);
    for (const [fd, link] of (process.open ?? []).entries()) await symlink(link, `${folder}/fd/${fd}`);
    const maps = (process.maps ?? []).map((file) => `7f00-7f01 r-xp 00000000 00:70 12    ${file}\n`);
    await writeFile(`${folder}/maps`, maps.join(''));
    const options = `rw,lowerdir=${SNAPSHOTS}/lower/fs,upperdir=${SNAPSHOTS}/upper/fs`;
    const points = (process.mounted ?? []).map((point) => `2 1 0:71 / ${point} rw - tmpfs tmpfs rw\n`);
    await writeFile(
      `${folder}/mountinfo`,
      `1 0 0:70 / / rw - overlay overlay ${options}\n${points.join('')}`,
    );
  }

  async end(pid: number): Promise<void> {
    await rm(`${this.root}/proc/${pid}`, { recursive: true, force: true });
  }

  /** The path on this machine of a file in one of the folders that the container's root is made of. */
  place(layer: 'upper' | 'lower', file: string): string {
    return `${this.root}${SNAPSHOTS}/${layer}/fs${file}`;
  }

  async write(layer: 'upper' | 'lower', file: string, content: string): Promise<void> {
    await mkdir(path.dirname(this.place(layer, file)), { recursive: true });
    await writeFile(this.place(layer, file), content);
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.#remove();
  }
}
