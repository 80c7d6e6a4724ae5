import path from 'node:path';
import { cacheFolder } from './cache.ts';
import { run } from './process.ts';

/** One of the places that a machine has for clusters, with what carries its number. */
export interface Slot {
  readonly index: number;
  /** What the cluster writes, and what it is started from. */
  readonly folder: string;
  readonly cgroup: string;
  /** The name of the cluster's node. */
  readonly node: string;
  readonly lock: string;
}

/** More clusters than a machine runs at once; the index is a byte of their addresses. */
export const MAX_CLUSTERS = 64;

/** Not in a user's cache, for devices, control groups and addresses are the machine's. */
const LOCKS = '/run/lock/gatehouse';

/** Held by whoever takes a free slot, and by whoever clears one. */
export const CLAIM = path.join(LOCKS, 'claim');

export const slotOf = (index: number): Slot => ({
  index,
  folder: cacheFolder('clusters', String(index)),
  cgroup: `gatehouse-${index}`,
  node: `node-${index}`,
  lock: path.join(LOCKS, String(index)),
});

export const slots: readonly Slot[] = Array.from({ length: MAX_CLUSTERS }, (_, index) => slotOf(index));

/** Whether a cluster lives in the slot: its process 1 holds the lock, which the kernel frees however that ends. */
export async function isTaken({ lock }: Slot): Promise<boolean> {
  const { code } = await run(['flock', '--nonblock', lock, 'true']);
  return code !== 0;
}
