import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdir, rename, rm, stat } from 'node:fs/promises';
import { homedir } from 'node:os';
import path from 'node:path';
import { HarnessError } from './errors.ts';

/** Where built programs, images and the state of clusters are kept, outside of the checkout. */
export function cacheFolder(...parts: readonly string[]): string {
  const { GATEHOUSE_CACHE, XDG_CACHE_HOME } = process.env;
  const base = GATEHOUSE_CACHE ?? path.join(XDG_CACHE_HOME ?? path.join(homedir(), '.cache'), 'gatehouse');
  return path.resolve(base, ...parts);
}

/**
 * The folder `kind/key` of the cache, which `make` fills where it is missing. All of a kind are made one at a time on
 * the machine, and a folder gets its name when it is whole: two test runs do not make it twice, and none sees half of it.
 */
export async function cached(
  kind: string,
  key: string,
  make: (folder: string) => Promise<void>,
): Promise<string> {
  const folder = cacheFolder(kind, key);
  if (await exists(folder)) return folder;
  await using _lock = await holdLock(cacheFolder('locks', kind));
  if (await exists(folder)) return folder;
  const unfinished = `${folder}.unfinished`;
  // Of a process that was killed meanwhile; whoever holds the lock is the only one at work.
  await rm(unfinished, { recursive: true, force: true });
  await mkdir(unfinished, { recursive: true });
  try {
    await make(unfinished);
    await rename(unfinished, folder);
  } finally {
    await rm(unfinished, { recursive: true, force: true });
  }
  return folder;
}

export async function exists(file: string): Promise<boolean> {
  return stat(file).then(
    () => true,
    () => false,
  );
}

/**
 * Waits for a lock file that only one process of the machine holds. The kernel frees it with the end of this process,
 * however that comes.
 */
export async function holdLock(file: string): Promise<AsyncDisposable> {
  await mkdir(path.dirname(file), { recursive: true });
  // `cat` ends when its input does: when this process lets go of it or is no more.
  const holder = spawn('flock', [file, 'sh', '-c', 'echo held; exec cat'], {
    stdio: ['pipe', 'pipe', 'inherit'],
  });
  const ended = once(holder, 'close');
  try {
    await Promise.race([
      once(holder.stdout, 'data'),
      ended.then(() => Promise.reject(new Error('flock ended'))),
    ]);
  } catch (cause) {
    throw new HarnessError('tool_missing', `cannot lock ${file}`, {
      cause,
      hint: 'Install flock, which is part of util-linux.',
    });
  }
  return {
    async [Symbol.asyncDispose]() {
      holder.stdin.end();
      await ended;
    },
  };
}
