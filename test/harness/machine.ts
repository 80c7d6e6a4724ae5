import { hierarchies } from './cgroups.ts';
import { HarnessError } from './errors.ts';

/** Throws, with what to do about it, where the machine cannot hold a cluster with a node. */
export async function checkMachine(): Promise<void> {
  if (process.platform !== 'linux') {
    throw new HarnessError('system_unsuitable', `clusters need Linux, and this is ${process.platform}`, {
      hint: 'Run it in a virtual machine with Linux.',
    });
  }
  if (process.getuid?.() !== 0) {
    throw new HarnessError('system_unsuitable', 'clusters need root, for namespaces, mounts and containers', {
      hint: 'Run it as root, or in a container with `docker run --privileged`.',
    });
  }
  if ((await hierarchies()).length === 0) {
    throw new HarnessError('system_unsuitable', 'no control groups are mounted', {
      hint: 'Mount them at /sys/fs/cgroup; in a container, run it with `docker run --privileged`.',
    });
  }
}
