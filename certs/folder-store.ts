import { mkdir, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { type Entries, entryNames, type NewEntries } from './entries.ts';
import { CertsError } from './errors.ts';
import type { MaterialStore } from './store.ts';

/** Keeps material as files that only their owner can read. One process at a time uses the folder. */
export function folderStore(folder: string): MaterialStore {
  return {
    title: folder,
    async read() {
      const entries = await readEntries(folder);
      return { entries, version: '', renewal: undefined };
    },
    async write(entries) {
      await writeEntries(folder, entries);
      return { entries: await readEntries(folder), version: '', renewal: undefined };
    },
  };
}

async function readEntries(folder: string): Promise<Entries> {
  const texts: Record<string, string> = {};
  for (const name of Object.values(entryNames)) {
    try {
      texts[name] = await readFile(join(folder, name), 'utf8');
    } catch (cause) {
      if ((cause as NodeJS.ErrnoException).code === 'ENOENT') continue;
      throw new CertsError('file_unreadable', `cannot read ${name} in ${folder}`, { cause });
    }
  }
  return texts;
}

async function writeEntries(folder: string, entries: NewEntries): Promise<void> {
  try {
    await mkdir(folder, { recursive: true, mode: 0o700 });
    for (const [name, text] of Object.entries(entries)) {
      const path = join(folder, name);
      if (text === undefined) await rm(path, { force: true });
      else await replaceFile(path, text);
    }
  } catch (cause) {
    throw new CertsError('file_unreadable', `cannot write certificates to ${folder}`, { cause });
  }
}

/** A reader sees the old text or the new one. */
async function replaceFile(path: string, text: string): Promise<void> {
  const draft = `${path}.new`;
  await writeFile(draft, text, { mode: 0o600 });
  await rename(draft, path);
}
