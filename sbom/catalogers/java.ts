import type { Package } from '../package.ts';
import { type Cataloger, EvidenceFault, type Findings } from './cataloger.ts';
import { type FilePart, type FileParts, OutsideParts } from './file-parts.ts';
import { jarPackages } from './jar-identity.ts';
import { parseManifest } from './jar-manifest.ts';
import { archiveHint, isArchiveName } from './jar-names.ts';
import { type Pom, parsePomPath, parsePomProperties } from './jar-pom.ts';
import { BudgetFault, ZipBudget } from './zip-budget.ts';
import { joinNear, partOf, type ZipEntry } from './zip-directory.ts';

/**
 * What is read of an archive is in memory, in the agent and in the process that looks into it, which have 600 MiB
 * together. Up to this size that is the whole. Of a larger one, such as a cloud's SDK of 268 MiB, it is what is looked
 * into, once its directory has been read.
 */
const MAX_ARCHIVE_BYTES = 160 * 1024 ** 2;
/** Where the directory of an archive is that is read in parts: that SDK's has 130,000 files and 19 MB. */
const TAIL_BYTES = 32 * 1024 ** 2;
/** An application in a server's archive, a library in it, and a library in that one make four. */
const MAX_NESTING = 8;
/** Signed libraries list a checksum for each class: 600 kB in one of 5,000 classes. */
const MAX_METADATA_BYTES = 8 * 1024 ** 2;
/** All archives of one path from the outermost to the innermost, as they are unpacked in memory together. */
const MAX_MEMORY = 256 * 1024 ** 2;

const MANIFEST = 'META-INF/MANIFEST.MF';

/** Java archives, and those in them, from what their builders say in them. */
export const java: Cataloger = {
  name: 'java',
  version: 3,
  maxBytes: MAX_ARCHIVE_BYTES,
  matches: (path) => isArchiveName(path),
  hint: archiveHint,
  // Its directory lies at the end, and what it names anywhere.
  parts(head, size) {
    if (!isArchive(head)) return undefined;
    return size > MAX_ARCHIVE_BYTES ? [tailOf(size)] : [{ start: 0, length: size }];
  },
  catalog(file): Findings | undefined {
    if (!isArchive(file.read(0, 4))) return undefined;
    const reader = new ArchiveReader();
    if (file.size > MAX_ARCHIVE_BYTES) reader.require(file);
    reader.read(file);
    return { packages: reader.packages, problem: reader.problem };
  },
};

/** Some begin with a script that starts them. Files of other formats share the names: RAR has `.rar`. */
function isArchive(head: Buffer): boolean {
  return ['PK\x03\x04', 'PK\x05\x06', '#!'].some(
    (magic) => head.toString('latin1', 0, magic.length) === magic,
  );
}

function tailOf(size: number): FilePart {
  return { start: size - TAIL_BYTES, length: TAIL_BYTES };
}

class ArchiveReader {
  readonly packages: Package[] = [];
  problem: Findings['problem'];
  readonly #budget = new ZipBudget();

  /** Throws OutsideParts, with what is looked into, unless all of that is there. */
  require(file: FileParts): void {
    this.#attempt(() => {
      const parts = new ZipBudget().entriesOf(file, isWanted).map((entry) => partOf(entry, file.size));
      if (parts.every((part) => file.has(part))) return;
      const needs = [tailOf(file.size), ...joinNear(parts)];
      const total = needs.reduce((sum, { length }) => sum + length, 0);
      throw new OutsideParts('the archive is read in parts', total > MAX_ARCHIVE_BYTES ? undefined : needs);
    });
  }

  /** Throws OutsideParts; all else that is wrong becomes the problem. `room` is the memory that is left. */
  read(file: FileParts, depth = 1, room = MAX_MEMORY): void {
    this.#attempt(() => {
      if (depth > MAX_NESTING)
        throw new BudgetFault(`archives lie in archives more than ${MAX_NESTING} deep`);
      const entries = this.#budget.entriesOf(file, isWanted);
      const manifest = parseManifest(this.#text(file, entries.find(isManifest)));
      const poms = this.#poms(file, entries);
      this.packages.push(...jarPackages({ hint: file.hint, manifest, poms }));
      for (const entry of entries.filter(({ name }) => isArchiveName(name))) {
        this.#attempt(() => this.#readInner(file, entry, depth + 1, room));
      }
    });
  }

  #readInner(file: FileParts, entry: ZipEntry, depth: number, room: number): void {
    const inner = this.#budget.open(file, entry, { most: room, hint: archiveHint(entry.name) });
    if (isArchive(inner.file.read(0, 4))) this.read(inner.file, depth, room - inner.memory);
  }

  #poms(file: FileParts, entries: readonly ZipEntry[]): readonly Pom[] {
    const poms = new Map<string, Pom>();
    for (const entry of entries) {
      const folder = parsePomPath(entry.name);
      if (!folder) continue;
      const key = `${folder.group}/${folder.artifact}`;
      if (folder.saysVersion) poms.set(key, parsePomProperties(this.#text(file, entry), folder));
      else if (!poms.has(key)) poms.set(key, folder);
    }
    return [...poms.values()];
  }

  /** Empty where there is none, or none that can be read. */
  #text(file: FileParts, entry: ZipEntry | undefined): string {
    let text = '';
    this.#attempt(() => {
      if (entry) text = this.#budget.read(file, entry, MAX_METADATA_BYTES).toString('utf8');
    });
    return text;
  }

  #attempt(work: () => void): void {
    try {
      work();
    } catch (error) {
      if (error instanceof OutsideParts) throw error;
      this.problem ??= problemOf(error);
    }
  }
}

function isWanted(name: string): boolean {
  return isArchiveName(name) || isManifest({ name }) || parsePomPath(name) !== undefined;
}

/** Java finds it in any case of letters. */
function isManifest({ name }: { readonly name: string }): boolean {
  return name.length === MANIFEST.length && name.toUpperCase() === MANIFEST;
}

function problemOf(error: unknown): Findings['problem'] {
  if (error instanceof BudgetFault) return { code: 'evidence_too_large', message: error.message };
  const message = error instanceof EvidenceFault ? error.message : 'an archive in the file cannot be parsed';
  return { code: 'evidence_invalid', message };
}
