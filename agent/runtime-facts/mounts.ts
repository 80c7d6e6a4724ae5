import { dirname, resolve } from 'node:path';

/** The folders that overlayfs makes a root of, by their paths on the node. */
export interface OverlayRoot {
  readonly upper: string;
  /** From the top to the bottom. */
  readonly lowers: readonly string[];
}

/** What is mounted where in a container, from the text of /proc/PID/mountinfo (proc_pid_mountinfo(5)). */
export class Mounts {
  /** The container's own root, where that is an overlay of folders that can be named. */
  readonly root: OverlayRoot | undefined;
  /** All but the root. */
  readonly #points: readonly string[];

  constructor(mountinfo: string) {
    const mounts = mountinfo.split('\n').flatMap((line) => parseMount(line) ?? []);
    const root = mounts.findLast(({ point }) => point === '/');
    this.root = root?.type === 'overlay' ? parseOverlay(root.options) : undefined;
    this.#points = mounts.map(({ point }) => point).filter((point) => point !== '/');
  }

  /** Whether a file lies on something that is mounted over the root. */
  isMounted(path: string): boolean {
    return this.#points.some((point) => path === point || path.startsWith(`${point}/`));
  }
}

interface Mount {
  readonly point: string;
  readonly type: string;
  readonly options: readonly string[];
}

/** `36 35 98:0 /mnt1 /mnt2 rw,noatime master:1 - ext3 /dev/root rw,errors=continue` */
function parseMount(line: string): Mount | undefined {
  const [before = '', after] = line.split(' - ');
  const point = before.split(' ')[4];
  const [type, , options] = after?.split(' ') ?? [];
  if (!point || !type || options === undefined) return undefined;
  return { point: plain(point), type, options: options.split(',').map(plain) };
}

/** Spaces, tabs, line breaks and backslashes are written as three octal digits. */
function plain(text: string): string {
  return text.replace(/\\([0-7]{3})/g, (_all, digits: string) =>
    String.fromCharCode(Number.parseInt(digits, 8)),
  );
}

/**
 * Where the options do not fit into a page, containerd names lower folders from the folder of all snapshots, in which
 * the upper one is named as a whole; an upper one that is not cannot be found.
 */
function parseOverlay(options: readonly string[]): OverlayRoot | undefined {
  const values = (name: string): string[] =>
    options.flatMap((each) => (each.startsWith(name) ? each.slice(name.length) : []));
  const [upper] = values('upperdir=');
  if (!upper?.startsWith('/')) return undefined;
  const lowers = [...values('lowerdir=').flatMap((all) => all.split(/(?<!\\):+/)), ...values('lowerdir+=')];
  const base = dirname(dirname(upper));
  return { upper, lowers: lowers.map((lower) => resolve(base, lower.replaceAll('\\:', ':'))) };
}
