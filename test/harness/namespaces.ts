import { mkdir, readFile, rm } from 'node:fs/promises';
import path from 'node:path';
import { exists, holdLock } from './cache.ts';
import { createCgroups, removeCgroups } from './cgroups.ts';
import { Component, type Place } from './component.ts';
import { HarnessError } from './errors.ts';
import { disconnect, networkOf } from './network.ts';
import { CLAIM, isTaken, MAX_CLUSTERS, type Slot, slots } from './slots.ts';

export interface Namespaces {
  readonly slot: Slot;
  /** Process 1 of the cluster; with its end all processes, mounts and devices within come to their end. */
  readonly holder: Component;
}

/**
 * Makes namespaces (mounts, host name, IPC, network, processes) for a new cluster in the first free slot. With
 * `outlive`, they stay when this process ends.
 */
export async function createNamespaces(ip: string, kube: string, outlive: boolean): Promise<Namespaces> {
  await using _claiming = await holdLock(CLAIM);
  await clearDead(ip);
  const slot = await firstFree();
  try {
    await mkdir(slot.folder, { recursive: true, mode: 0o700 });
    await createCgroups(slot.cgroup);
    return { slot, holder: await hold(slot, kube, outlive) };
  } catch (cause) {
    await clearSlot(ip, slot);
    if (cause instanceof HarnessError && cause.code === 'system_unsuitable') throw cause;
    throw new HarnessError('system_unsuitable', 'cannot make the namespaces of a cluster', {
      cause,
      hint: 'In a container, this needs `docker run --privileged`.',
    });
  }
}

/** Ends a cluster and removes what it leaves behind. Before all is gone, nobody else can take its slot. */
export async function removeCluster(ip: string, slot: Slot, end: () => Promise<void>): Promise<void> {
  await using _claiming = await holdLock(CLAIM);
  await end();
  await clearSlot(ip, slot);
}

/** Removes what a cluster whose processes have ended left behind. */
async function clearSlot(ip: string, slot: Slot): Promise<void> {
  await disconnect(ip, networkOf(slot.index));
  await removeCgroups(slot.cgroup);
  await rm(slot.folder, { recursive: true, force: true });
}

/** Clears up after clusters whose harness was killed: their processes are gone, and all else is still there. */
async function clearDead(ip: string): Promise<void> {
  for (const slot of slots) {
    if ((await exists(slot.folder)) && !(await isTaken(slot))) await clearSlot(ip, slot);
  }
}

async function firstFree(): Promise<Slot> {
  for (const slot of slots) if (!(await isTaken(slot))) return slot;
  throw new HarnessError(
    'cluster_taken',
    `all ${MAX_CLUSTERS} places for clusters on this machine are taken`,
    {
      hint: 'See them with `npm run cluster -- status`.',
    },
  );
}

async function hold(slot: Slot, kube: string, outlive: boolean): Promise<Component> {
  const namespaces = ['--mount', '--uts', '--ipc', '--net', '--pid', '--mount-proc', '--kill-child'];
  const place: Place = {
    prefix: [
      ...(outlive ? [] : ['setpriv', '--pdeathsig', 'KILL', '--']),
      // It waits, since whoever asks whether the slot is taken holds the lock for a moment.
      ...['flock', '--wait', '5', '--no-fork', slot.lock, 'unshare', ...namespaces, '--'],
    ],
    forks: true,
  };
  const script = path.join(import.meta.dirname, 'namespaces.sh');
  const said = path.join(slot.folder, 'logs', 'namespaces.log');
  const ready = async (): Promise<void> => {
    if (!(await readFile(said, 'utf8')).endsWith('ready\n')) throw new Error('they are not set up');
  };
  const argv = ['sh', script, slot.folder, slot.node, kube];
  return Component.start({ name: 'namespaces', argv, ready }, place, slot.folder);
}
