import { open, readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { ecosystemNames } from '../ecosystems/table.ts';
import { AdvisoryError } from '../errors.ts';
import type { FeedFile, FeedSource } from './source.ts';

/** Feeds in a folder. Throws `feeds_not_found` if it cannot be listed or no folder in it is named after an ecosystem. */
export async function folderSource(folder: string): Promise<FeedSource> {
  const hint = 'It should hold a folder with all.zip for each ecosystem, such as npm/all.zip.';
  const entries = await readdir(folder).catch((cause: unknown) => {
    throw new AdvisoryError('feeds_not_found', `cannot list the feeds folder ${folder}`, { cause, hint });
  });
  const ecosystems = ecosystemNames.filter((name) => entries.includes(name));
  if (ecosystems.length === 0) {
    throw new AdvisoryError('feeds_not_found', `${folder} holds no feeds`, { hint });
  }
  return {
    ecosystems,
    async open(path, known) {
      const file = await openFile(join(folder, path));
      if (file === undefined) return 'absent';
      if (file.fingerprint !== known) return file;
      await file[Symbol.asyncDispose]();
      return 'unchanged';
    },
  };
}

/** Looked at after it was opened, so that the fingerprint belongs to the bytes that will be read. */
async function openFile(path: string): Promise<FeedFile | undefined> {
  const handle = await open(path).catch((cause: unknown) => {
    if (isNotFound(cause)) return undefined;
    throw new AdvisoryError('feed_unreachable', `cannot open the feed ${path}`, { cause });
  });
  if (handle === undefined) return undefined;
  const { size, mtimeNs, mtime } = await handle.stat({ bigint: true });
  return {
    handle,
    name: path,
    fingerprint: `file ${size} ${mtimeNs}`,
    date: mtime.toISOString(),
    [Symbol.asyncDispose]: () => handle.close(),
  };
}

function isNotFound(error: unknown): boolean {
  return error instanceof Error && 'code' in error && error.code === 'ENOENT';
}
