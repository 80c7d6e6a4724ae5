import { HEAD_BYTES } from './cataloger.ts';
import { dataView, isElf, word } from './elf.ts';
import type { FilePart, FileParts } from './file-parts.ts';

interface SectionTable {
  readonly is64: boolean;
  readonly littleEndian: boolean;
  readonly start: number;
  readonly entries: number;
  /** The index of the section that holds the names of all. */
  readonly names: number;
}

/** Programs have about forty. */
const MAX_SECTIONS = 1024;
const MAX_NAMES_BYTES = 64 * 1024;
/** Linkers put the names, which take less than 1 KB, right before the table; lld has other texts between the two. */
const BYTES_BEFORE_TABLE = 4096;

/** Byte offsets of the fields in 32-bit and 64-bit files, from elf(5). */
const layouts = {
  32: {
    header: { start: 32, entryBytes: 46, entries: 48, names: 50, length: 52 },
    section: { start: 16, length: 20, bytes: 40 },
  },
  64: {
    header: { start: 40, entryBytes: 58, entries: 60, names: 62, length: 64 },
    section: { start: 24, length: 32, bytes: 64 },
  },
} as const;

/** What has to be kept of a file of which only the head was seen, so that `findSection` can find a section by its name. */
export function sectionParts(head: FileParts): readonly FilePart[] {
  const table = readTable(head);
  if (table === undefined) return [];
  const { start, length } = extentOf(table);
  // Go's linker puts the table at the beginning, and the names anywhere.
  const names = start + length <= HEAD_BYTES ? sectionAt(head, table, table.names) : undefined;
  if (names) return [names];
  const before = Math.min(start, BYTES_BEFORE_TABLE);
  return [{ start: start - before, length: Math.min(before + length, head.size - start + before) }];
}

/** Where a section of an ELF file lies; undefined if the file has none of that name, or no sound table of sections. */
export function findSection(file: FileParts, name: string): FilePart | undefined {
  const table = readTable(file);
  const extent = table && sectionAt(file, table, table.names);
  if (table === undefined || extent === undefined || extent.length > MAX_NAMES_BYTES) return undefined;
  const names = file.read(extent.start, extent.length);
  const wanted = Buffer.from(`${name}\0`, 'latin1');
  for (let index = 0; index < table.entries; index++) {
    const at = dataView(readEntry(file, table, index)).getUint32(0, table.littleEndian);
    if (names.subarray(at, at + wanted.length).equals(wanted)) return sectionAt(file, table, index);
  }
  return undefined;
}

function readTable(file: FileParts): SectionTable | undefined {
  const bytes = file.read(0, layouts[64].header.length);
  const is64 = bytes[4] === 2;
  const { header, section } = layouts[is64 ? 64 : 32];
  if (!isElf(bytes) || bytes.length < header.length) return undefined;
  const littleEndian = bytes[5] === 1;
  const view = dataView(bytes);
  const table = {
    is64,
    littleEndian,
    start: Number(word(view, header.start, is64, littleEndian)),
    entries: view.getUint16(header.entries, littleEndian),
    names: view.getUint16(header.names, littleEndian),
  };
  const { start, length } = extentOf(table);
  const isPlausible =
    start > 0 &&
    start + length <= file.size &&
    view.getUint16(header.entryBytes, littleEndian) === section.bytes &&
    table.entries <= MAX_SECTIONS &&
    table.names < table.entries;
  return isPlausible ? table : undefined;
}

function extentOf({ is64, start, entries }: SectionTable): FilePart {
  return { start, length: entries * layouts[is64 ? 64 : 32].section.bytes };
}

function readEntry(file: FileParts, { is64, start }: SectionTable, index: number): Buffer {
  const { bytes } = layouts[is64 ? 64 : 32].section;
  return file.read(start + index * bytes, bytes);
}

/** Undefined if the section is not wholly in the file. */
function sectionAt(file: FileParts, table: SectionTable, index: number): FilePart | undefined {
  const { is64, littleEndian } = table;
  const { section } = layouts[is64 ? 64 : 32];
  const view = dataView(readEntry(file, table, index));
  const start = Number(word(view, section.start, is64, littleEndian));
  const length = Number(word(view, section.length, is64, littleEndian));
  return start + length <= file.size ? { start, length } : undefined;
}
