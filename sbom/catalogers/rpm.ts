import type { Package } from '../package.ts';
import { type Cataloger, EvidenceFault, type Findings } from './cataloger.ts';
import { OwnedFiles } from './owned-files.ts';
import { bdbRows, isBdb } from './rpm-bdb.ts';
import { RpmHeader } from './rpm-header.ts';
import { MAX_HEADER_BYTES } from './rpm-limits.ts';
import { isNdb, ndbRows } from './rpm-ndb.ts';
import { toRpmPackage } from './rpm-package.ts';
import { isSqlite, SqliteFile } from './sqlite-file.ts';
import { readColumns } from './sqlite-record.ts';

/** Where distributions have it: most until now, those that moved it out of /var, and those whose /usr is an image. */
const DATABASE = /^(var\/lib|usr\/lib\/sysimage|usr\/share)\/rpm\/(Packages|Packages\.db|rpmdb\.sqlite)$/;

/** Databases take 28 to 50 KB a package, so that this is enough for 2,600; an agent may use 600 MiB in all. */
const MAX_DATABASE_BYTES = 128 * 1024 * 1024;
/** As many as `examine` lets a file name; a row without anything in it takes far less than a package. */
const MAX_ROWS = 100_000;

/** The columns of the table `Packages`: the number of the row, and the header. */
const COLUMNS = 2;

/** RPM packages, from RPM's own database in each of its forms: Berkeley DB, ndb and SQLite. */
export const rpm: Cataloger = {
  name: 'rpm',
  version: 2,
  maxBytes: MAX_DATABASE_BYTES,
  matches: (path) => DATABASE.test(path),
  catalog(file): Findings {
    const contents = new Contents();
    // A database that nothing was ever put into may be a file without a byte.
    const rows = file.size === 0 ? [] : rowsOf(file.read(0, file.size));
    for (const row of rows) {
      contents.add(row);
      if (contents.rows > MAX_ROWS) return tooLarge(`the database has more than ${MAX_ROWS} rows`);
    }
    return contents.toFindings();
  },
};

/** The form is that of the file, whatever its name. */
function rowsOf(bytes: Buffer): Generator<Buffer | undefined> {
  if (isSqlite(bytes)) return sqliteRows(bytes);
  if (isNdb(bytes)) return ndbRows(bytes);
  if (isBdb(bytes)) return bdbRows(bytes);
  throw new EvidenceFault('the file is no database of RPM');
}

function* sqliteRows(bytes: Buffer): Generator<Buffer | undefined> {
  for (const record of new SqliteFile(bytes, { maxRecord: MAX_HEADER_BYTES }).records('Packages')) {
    yield record && readColumns(record, COLUMNS)?.[1];
  }
}

function tooLarge(message: string): Findings {
  return { packages: [], problem: { code: 'evidence_too_large', message } };
}

/** What the rows of a database say, one after the other; a damaged one takes no other with it. */
class Contents {
  rows = 0;
  readonly #packages: Package[] = [];
  readonly #owned = new OwnedFiles();
  #unreadable = 0;
  #withoutFiles = 0;

  add(row: Buffer | undefined): void {
    this.rows += 1;
    try {
      if (row === undefined) throw new EvidenceFault('the row cannot be read');
      const header = new RpmHeader(row);
      const found = toPackage(header);
      if (found === undefined) return;
      this.#packages.push(found);
      this.#addFiles(header);
      this.#owned.endPackage({ type: 'rpm', name: found.name, arch: found.arch });
    } catch (error) {
      if (!(error instanceof EvidenceFault)) throw error;
      this.#unreadable += 1;
    }
  }

  toFindings(): Findings {
    return { packages: this.#packages, owns: this.#owned.owns, problem: this.#problem() };
  }

  #addFiles(header: RpmHeader): void {
    try {
      for (const [folder, name] of header.files()) this.#owned.add(folder, name);
    } catch (error) {
      if (!(error instanceof EvidenceFault)) throw error;
      this.#withoutFiles += 1;
    }
  }

  #problem(): Findings['problem'] {
    if (this.#unreadable > 0) {
      return { code: 'evidence_invalid', message: `${this.#unreadable} rows or pages cannot be read` };
    }
    if (this.#withoutFiles > 0) {
      const message = `the lists of files of ${this.#withoutFiles} packages cannot be read`;
      return { code: 'evidence_invalid', message };
    }
    if (!this.#owned.isFull) return undefined;
    return { code: 'evidence_too_large', message: 'not all files of the packages are kept' };
  }
}

/** Undefined for what is no package. */
function toPackage(header: RpmHeader): Package | undefined {
  const name = header.text('name');
  const version = header.text('version');
  const release = header.text('release');
  if (!name || !version || !release) throw new EvidenceFault('a header lacks the name or the version');
  return toRpmPackage({
    name,
    epoch: header.epoch?.toString(),
    version: `${version}-${release}`,
    arch: header.text('arch'),
    sourceRpm: header.text('sourceRpm'),
    module: header.text('module'),
  });
}
