import { join } from 'node:path';
import type { Log } from '@gatehouse/lib/log.ts';
import { Bell } from './bell.ts';
import { type Entries, entryNames } from './entries.ts';
import { folderStore } from './folder-store.ts';
import { keepRotating } from './keep-rotating.ts';
import { parseServingNames } from './names.ts';
import { defaultSchedule } from './rotation.ts';
import { Rotator } from './rotator.ts';
import { CertificateHolder, offerOf, type ServingCertificate } from './serving.ts';
import type { MaterialStore, Stored } from './store.ts';

const DAY_MS = 86_400_000;

export interface LocalCertificate extends ServingCertificate {
  /** The file with the authorities that clients trust; it is at any time the newest. */
  readonly bundleFile: string;
}

/**
 * Certificates for one machine without Kubernetes: made in a folder that only its owner can read, renewed by the same
 * rotation at the start, daily and when due. Throws CertsError.
 */
export async function ensureLocalCertificates(
  folder: string,
  names: readonly string[],
  log: Log,
): Promise<LocalCertificate> {
  const holder = new CertificateHolder(folder, log);
  const context = {
    store: observed(folderStore(folder), (entries) => holder.offer(offerOf(entries))),
    names: parseServingNames(names),
    // The store's own file is what clients read.
    publish: async () => 'held' as const,
    now: () => new Date(),
    log,
  };
  // Nobody is served yet, so there is nobody to wait for.
  await new Rotator({ ...context, schedule: { ...defaultSchedule, settling: 0 } }).advance();

  const ending = new AbortController();
  const rotating = keepRotating(new Rotator({ ...context, schedule: defaultSchedule }), {
    every: DAY_MS,
    bell: new Bell(),
    log,
    signal: ending.signal,
  });
  const serving = holder.serving(async () => {
    ending.abort();
    await rotating;
  });
  return { ...serving, bundleFile: join(folder, entryNames.bundle) };
}

/** Tells what a store holds whenever it is read or written. */
function observed(store: MaterialStore, onEntries: (entries: Entries) => void): MaterialStore {
  const told = <S extends Stored | undefined>(stored: S): S => {
    if (stored) onEntries(stored.entries);
    return stored;
  };
  return {
    title: store.title,
    read: async () => told(await store.read()),
    write: async (entries, previous) => told(await store.write(entries, previous)),
  };
}
