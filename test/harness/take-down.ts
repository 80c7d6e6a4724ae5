import type { ClusterRecord } from './cluster-record.ts';
import { removeCluster } from './namespaces.ts';
import { isTaken, slotOf } from './slots.ts';
import { need } from './tools.ts';
import { eventually } from './wait.ts';

/** Ends a cluster that another process started, whatever state it is in, and removes all that it left. */
export async function takeDown({ pid, index }: ClusterRecord): Promise<void> {
  const { ip } = await need('ip');
  const slot = slotOf(index);
  await removeCluster(ip, slot, async () => {
    process.kill(pid, 'SIGKILL');
    const ended = async (): Promise<void> => {
      if (await isTaken(slot)) throw new Error('processes of it still run');
    };
    await eventually(ended, { what: 'the cluster to end' });
  });
}
