import { readFile, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { isTaken, slots } from './slots.ts';

/** What has to be known of a running cluster to use it, also by another process than the one that started it. */
export interface ClusterRecord {
  readonly name: string;
  /** The number of its slot. */
  readonly index: number;
  readonly folder: string;
  /** Process 1 of the cluster, as the host numbers it. */
  readonly pid: number;
  readonly kube: string;
  /** The folder of containerd, its shim and ctr. */
  readonly containerd: string;
  /** What `ctr images import` is given for images to be kept as pulled ones are. */
  readonly importFlags: readonly string[];
}

const fileIn = (folder: string): string => path.join(folder, 'cluster.json');

export async function writeRecord(record: ClusterRecord): Promise<void> {
  await writeFile(fileIn(record.folder), JSON.stringify(record));
}

/** The clusters that run on this machine and were started with the same cache folder. */
export async function runningClusters(): Promise<readonly ClusterRecord[]> {
  const records: ClusterRecord[] = [];
  for (const slot of slots) {
    const record = await readFile(fileIn(slot.folder), 'utf8').catch(() => undefined);
    // Of a cluster whose harness was killed, the file is still there until another takes its slot.
    if (record !== undefined && (await isTaken(slot))) records.push(JSON.parse(record) as ClusterRecord);
  }
  return records;
}

export async function findCluster(name: string): Promise<ClusterRecord | undefined> {
  return (await runningClusters()).find((record) => record.name === name);
}
