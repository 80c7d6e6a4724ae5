import { mkdir, readdir, readFile, rmdir, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { exists } from './cache.ts';
import { HarnessError } from './errors.ts';
import { eventually } from './wait.ts';

/** Makes the control group of a cluster, in which the kubelet puts all its pods, in each hierarchy of the machine. */
export async function createCgroups(name: string): Promise<void> {
  for (const root of await hierarchies()) {
    await enableControllers(root);
    await mkdir(path.join(root, name), { recursive: true });
  }
}

/** Removes the groups of a cluster whose processes have ended. */
export async function removeCgroups(name: string): Promise<void> {
  for (const root of await hierarchies()) {
    const group = path.join(root, name);
    // The kernel still counts a process in for a moment after its end.
    await eventually(() => removeGroup(group), { what: `the control group ${group} to be empty` });
  }
}

/** One folder with version 2, one for each set of controllers with version 1. */
export async function hierarchies(): Promise<readonly string[]> {
  const mounts = (await readFile('/proc/self/mounts', 'utf8')).trim().split('\n');
  return mounts
    .map((mount) => mount.split(' '))
    .filter(([, , type]) => type === 'cgroup' || type === 'cgroup2')
    .map(([, folder = '']) => folder);
}

/** With version 2, a group has the controllers that the one above passes on, and the kubelet insists on all of them. */
async function enableControllers(root: string): Promise<void> {
  const controllers = await readFile(path.join(root, 'cgroup.controllers'), 'utf8').catch(() => '');
  const all = controllers
    .trim()
    .split(' ')
    .filter((controller) => controller !== '');
  if (all.length === 0) return;
  try {
    await writeFile(
      path.join(root, 'cgroup.subtree_control'),
      all.map((controller) => `+${controller}`).join(' '),
    );
  } catch (cause) {
    throw new HarnessError(
      'system_unsuitable',
      `the control group at ${root} cannot pass its controllers on`,
      {
        cause,
        hint: 'In a container it holds processes of its own: run it with `docker run --privileged --cgroupns=host`.',
      },
    );
  }
}

/** Control groups go one by one, from the innermost on: their files cannot be removed, and vanish with them. */
async function removeGroup(group: string): Promise<void> {
  if (!(await exists(group))) return;
  for (const entry of await readdir(group, { withFileTypes: true })) {
    if (entry.isDirectory()) await removeGroup(path.join(group, entry.name));
  }
  await rmdir(group);
}
