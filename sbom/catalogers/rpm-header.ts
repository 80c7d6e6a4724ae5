import { MAX_ENTRIES } from '../fragment.ts';
import { EvidenceFault } from './cataloger.ts';

/** Tags of rpm's rpmtag.h. */
const tags = {
  name: 1000,
  version: 1001,
  release: 1002,
  epoch: 1003,
  arch: 1022,
  fileStates: 1029,
  sourceRpm: 1044,
  folderIndexes: 1116,
  baseNames: 1117,
  folders: 1118,
  module: 5096,
} as const;
type Tag = keyof typeof tags;
const nameOf: ReadonlyMap<number, Tag> = new Map(
  Object.entries(tags).map(([name, tag]) => [tag, name as Tag]),
);

const COUNTS_BYTES = 8;
const ENTRY_BYTES = 16;
const CHAR = 1;
const INT32 = 4;
const STRING = 6;
const STRING_ARRAY = 8;

/** Another package's file is at its place, or it was not installed at all, as manuals where none are wanted. */
const NORMAL_FILE = 0;

interface Entry {
  readonly type: number;
  readonly offset: number;
  readonly count: number;
}

/**
 * What RPM keeps of a package: numbers of index entries and bytes of data, the entries, the data; all numbers are
 * big-endian. See https://rpm-software-management.github.io/rpm/manual/format_header.html. Throws EvidenceFault.
 */
export class RpmHeader {
  readonly #data: Buffer;
  readonly #entries = new Map<Tag, Entry>();

  constructor(blob: Buffer) {
    if (blob.length < COUNTS_BYTES) throw new EvidenceFault('a header is cut off');
    const dataStart = COUNTS_BYTES + blob.readUInt32BE(0) * ENTRY_BYTES;
    const dataEnd = dataStart + blob.readUInt32BE(4);
    if (dataEnd > blob.length) throw new EvidenceFault('a header is cut off');
    this.#data = blob.subarray(dataStart, dataEnd);
    for (let at = COUNTS_BYTES; at < dataStart; at += ENTRY_BYTES) {
      const tag = nameOf.get(blob.readUInt32BE(at));
      if (tag === undefined) continue;
      // What was added at the installation stands behind what came in the package, and takes its place.
      this.#entries.set(tag, {
        type: blob.readUInt32BE(at + 4),
        offset: blob.readUInt32BE(at + 8),
        count: blob.readUInt32BE(at + 12),
      });
    }
  }

  text(tag: 'name' | 'version' | 'release' | 'arch' | 'sourceRpm' | 'module'): string | undefined {
    return this.#texts(tag, STRING, 1)?.[0];
  }

  get epoch(): number | undefined {
    return this.#bytes('epoch', INT32, 4)?.readUInt32BE(0);
  }

  /** The files that are there as the package brought them: folder, with slashes around it, and name. */
  *files(): Generator<readonly [folder: string, name: string]> {
    const names = this.#texts('baseNames', STRING_ARRAY);
    if (names === undefined) return;
    const folders = this.#texts('folders', STRING_ARRAY) ?? [];
    const indexes = this.#bytes('folderIndexes', INT32, 4);
    const states = this.#bytes('fileStates', CHAR, 1);
    for (const [index, name] of names.entries()) {
      if ((states?.[index] ?? NORMAL_FILE) !== NORMAL_FILE) continue;
      const at = index * 4;
      const folder = indexes && at < indexes.length ? folders[indexes.readUInt32BE(at)] : undefined;
      if (folder === undefined) throw new EvidenceFault('a file is in no folder');
      yield [folder, name];
    }
  }

  #texts(tag: Tag, type: number, most = MAX_ENTRIES): readonly string[] | undefined {
    const entry = this.#entry(tag, type);
    if (entry === undefined) return undefined;
    const texts: string[] = [];
    let at = entry.offset;
    while (texts.length < Math.min(entry.count, most)) {
      const end = this.#data.indexOf(0, at);
      if (end < 0) throw new EvidenceFault('a text has no end');
      texts.push(this.#data.toString('utf8', at, end));
      at = end + 1;
    }
    return texts;
  }

  #bytes(tag: Tag, type: number, unit: number): Buffer | undefined {
    const entry = this.#entry(tag, type);
    return entry?.count ? this.#data.subarray(entry.offset, entry.offset + entry.count * unit) : undefined;
  }

  /** Where a value is, having made sure that as much is there as even the smallest of its type takes. */
  #entry(tag: Tag, type: number): Entry | undefined {
    const entry = this.#entries.get(tag);
    if (entry === undefined) return undefined;
    if (entry.type !== type) throw new EvidenceFault('a value is of another type');
    // A package with more files than a layer may have cannot have been installed in it.
    const isSound =
      entry.count <= MAX_ENTRIES && entry.offset + entry.count * smallest(type) <= this.#data.length;
    if (!isSound) throw new EvidenceFault('a value lies outside of its header');
    return entry;
  }
}

function smallest(type: number): number {
  return type === INT32 ? 4 : 1;
}
