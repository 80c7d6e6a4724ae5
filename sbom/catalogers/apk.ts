import type { Package } from '../package.ts';
import { type Cataloger, type Findings, MAX_TEXT_BYTES, textOf } from './cataloger.ts';
import { OwnedFiles } from './owned-files.ts';
import { lines } from './stanzas.ts';

/** The second is of systems that have all of /lib in /usr. */
const DATABASES: ReadonlySet<string> = new Set(['lib/apk/db/installed', 'usr/lib/apk/db/installed']);

/** Alpine packages, and those of its kin, from apk's own database. */
export const apk: Cataloger = {
  name: 'apk',
  version: 2,
  maxBytes: MAX_TEXT_BYTES,
  matches: (path) => DATABASES.has(path),
  catalog(file): Findings {
    const reader = new Reader();
    for (const line of lines(textOf(file))) reader.read(line);
    return reader.end();
  },
};

/**
 * Reads apk-installed(5): a letter, a colon and a value on each line, an empty line after each package. `P` is not `p`,
 * and the lines of files follow the folder that they are in.
 */
class Reader {
  readonly #packages: Package[] = [];
  readonly #owned = new OwnedFiles();
  #incomplete = 0;
  #fields = new Map<string, string>();
  #folder = '';

  read(line: string): void {
    const value = line.slice(2).trim();
    switch (line.slice(0, 2)) {
      case '':
        this.#endPackage();
        break;
      case 'F:':
        this.#folder = value === '' ? '' : `${value}/`;
        break;
      case 'R:':
        this.#owned.add(this.#folder, value);
        break;
      case 'P:':
      case 'V:':
      case 'A:':
      case 'o:':
        this.#fields.set(line.charAt(0), value);
    }
  }

  end(): Findings {
    this.#endPackage();
    return { packages: this.#packages, owns: this.#owned.owns, problem: this.#problem() };
  }

  #endPackage(): void {
    const fields = this.#fields;
    this.#fields = new Map();
    this.#folder = '';
    if (fields.size === 0) return;
    const name = fields.get('P');
    const version = fields.get('V');
    if (!name || !version) {
      this.#incomplete += 1;
      this.#owned.endPackage(undefined);
      return;
    }
    // Packages without an origin were built before apk knew of them, or on the spot by `apk add --virtual`.
    const origin = fields.get('o');
    const source = origin ? { name: origin, version } : undefined;
    const arch = fields.get('A') || undefined;
    this.#packages.push({ type: 'apk', name, version, arch, source });
    this.#owned.endPackage({ type: 'apk', name, arch });
  }

  #problem(): Findings['problem'] {
    if (this.#incomplete > 0) {
      const message = `${this.#incomplete} stanzas lack the name or the version of the package`;
      return { code: 'evidence_invalid', message };
    }
    if (!this.#owned.isFull) return undefined;
    return { code: 'evidence_too_large', message: 'not all files of the packages are kept' };
  }
}
