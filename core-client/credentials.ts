import { readFile, stat } from 'node:fs/promises';
import { CoreClientError } from './errors.ts';

/** Gives the present content of something that is renewed now and then. */
export type Renewed = () => Promise<string>;

/**
 * The content of a file that is renewed in place, such as a projected token or a CA bundle.
 * It is read again only when it has changed. Throws CoreClientError `credentials_unreadable`.
 */
export function renewedFile(path: string): Renewed {
  let known: { version: string; content: string } | undefined;
  return async () => {
    try {
      const { mtimeMs, ino, size } = await stat(path);
      const version = `${mtimeMs}/${ino}/${size}`;
      if (known?.version !== version) known = { version, content: (await readFile(path, 'utf8')).trim() };
      return known.content;
    } catch (cause) {
      throw new CoreClientError('credentials_unreadable', `cannot read ${path}`, { cause });
    }
  };
}
