import { readFile, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { AgentError } from '../errors.ts';

/** How layers lie: `overlay` has a folder for what each adds, `vfs` one with all that it and those below it have. */
export const storageDrivers = ['overlay', 'vfs'] as const;
export type StorageDriver = (typeof storageDrivers)[number];

/** One folder of containers-storage, as this process sees it. */
export interface Store {
  readonly root: string;
  readonly driver: StorageDriver;
}

/** The records of thousands of images and layers have a few megabytes. */
const MAX_RECORDS_BYTES = 64 * 1024 * 1024;

/** Throws AgentError `storage_unreadable`. */
export async function openStore(root: string, wanted: StorageDriver | undefined): Promise<Store> {
  for (const driver of wanted ? [wanted] : storageDrivers) {
    if (await exists(join(root, `${driver}-images`))) return { root, driver };
  }
  throw new AgentError('storage_unreadable', `there is no containers-storage of images in ${root}`, {
    hint: `It is a folder with ${(wanted ? [wanted] : storageDrivers).map((each) => `${each}-images`).join(' or ')} in it; other drivers are not read.`,
  });
}

/** The records of a store; none if it has no such file. Throws AgentError `storage_unreadable`. */
export async function readRecords<T>(
  { root, driver }: Store,
  name: string,
  parse: (text: string) => readonly T[],
): Promise<readonly T[]> {
  const file = join(root, `${driver}-${name}`);
  const bytes = await readUpTo(MAX_RECORDS_BYTES, file);
  try {
    return bytes ? parse(bytes.toString('utf8')) : [];
  } catch (cause) {
    throw new AgentError('storage_unreadable', `${file} is not what containers-storage writes`, { cause });
  }
}

export async function readUpTo(most: number, file: string): Promise<Buffer | undefined> {
  try {
    const { size } = await stat(file);
    if (size > most) throw new AgentError('storage_unreadable', `${file} has more than ${most} bytes`);
    return await readFile(file);
  } catch (cause) {
    if (cause instanceof AgentError) throw cause;
    if ((cause as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
    throw new AgentError('storage_unreadable', `cannot read ${file}`, { cause });
  }
}

export async function exists(path: string): Promise<boolean> {
  return stat(path).then(
    () => true,
    () => false,
  );
}
