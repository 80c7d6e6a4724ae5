import { readlinkSync } from 'node:fs';
import { readdir } from 'node:fs/promises';
import { setImmediate as nextTurn } from 'node:timers/promises';

/** One look at a process takes 5 µs, and other work gets its turn in between. */
const PROCESSES_PER_TURN = 200;

/**
 * The processes of a node by the mounts that they see, which is what makes those of one container: each container has
 * mounts of its own. Processes that this one may not look at are left out.
 */
export async function processesByMounts(proc: string): Promise<ReadonlyMap<string, readonly number[]>> {
  const found = new Map<string, number[]>();
  const pids = (await readdir(proc)).filter((name) => /^\d+$/.test(name)).map(Number);
  for (const [index, pid] of pids.entries()) {
    if (index % PROCESSES_PER_TURN === 0) await nextTurn();
    const mounts = mountsOf(proc, pid);
    if (mounts === undefined) continue;
    const there = found.get(mounts);
    if (there) there.push(pid);
    else found.set(mounts, [pid]);
  }
  return found;
}

/** A text that two processes share exactly if they see the same mounts; undefined if it is not to be seen. */
export function mountsOf(proc: string, pid: number): string | undefined {
  return linkOf(`${proc}/${pid}/ns/mnt`);
}

/** What a link in /proc says, which the kernel answers without waiting for anything; undefined if it is not to be seen. */
export function linkOf(path: string): string | undefined {
  try {
    return readlinkSync(path);
  } catch {
    return undefined;
  }
}
