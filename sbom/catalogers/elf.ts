import type { FileParts } from './file-parts.ts';

/** A part of an ELF file as it is laid into memory. */
export interface Segment {
  readonly address: bigint;
  readonly start: number;
  readonly length: number;
  /** Loaded, writable, not executable. */
  readonly isData: boolean;
  /** Loaded, neither writable nor executable. */
  readonly isConstant: boolean;
  readonly isLoaded: boolean;
}

/** Where a table of headers is, and how all numbers are to be read. */
interface ElfHeader {
  readonly is64: boolean;
  readonly littleEndian: boolean;
  readonly start: number;
  readonly entryBytes: number;
  readonly entries: number;
}

/** Linkers make about ten; the kernel itself stops at 64 KiB of them. */
const MAX_SEGMENTS = 1024;
const PT_LOAD = 1;
const PF_X = 1;
const PF_W = 2;

/** Byte offsets of the fields in 32-bit and 64-bit files, from elf(5). */
const layouts = {
  32: {
    header: { tableStart: 28, entryBytes: 42, entries: 44, length: 52 },
    segment: { flags: 24, start: 4, address: 8, length: 16, minimum: 32 },
  },
  64: {
    header: { tableStart: 32, entryBytes: 54, entries: 56, length: 64 },
    segment: { flags: 4, start: 8, address: 16, length: 32, minimum: 56 },
  },
} as const;

export function isElf(head: Buffer): boolean {
  return head.length >= 4 && head.readUInt32BE() === 0x7f454c46;
}

/** The segments of an ELF file, cut to the file's size; undefined if it is not one that could be loaded. */
export function readSegments(file: FileParts): readonly Segment[] | undefined {
  const header = readHeader(file.read(0, layouts[64].header.length));
  if (header === undefined) return undefined;
  const bytes = header.entries * header.entryBytes;
  const table = file.read(header.start, bytes);
  if (table.length < bytes) return undefined;
  return Array.from({ length: header.entries }, (_, index) =>
    readSegment(table.subarray(index * header.entryBytes), header, file.size),
  );
}

function readHeader(bytes: Buffer): ElfHeader | undefined {
  const is64 = bytes[4] === 2;
  const littleEndian = bytes[5] === 1;
  const layout = layouts[is64 ? 64 : 32];
  if (!isElf(bytes) || bytes.length < layout.header.length) return undefined;
  const view = dataView(bytes);
  const header = {
    is64,
    littleEndian,
    start: Number(word(view, layout.header.tableStart, is64, littleEndian)),
    entryBytes: view.getUint16(layout.header.entryBytes, littleEndian),
    entries: view.getUint16(layout.header.entries, littleEndian),
  };
  const isPlausible =
    Number.isSafeInteger(header.start) &&
    header.entryBytes >= layout.segment.minimum &&
    header.entries <= MAX_SEGMENTS;
  return isPlausible ? header : undefined;
}

function readSegment(bytes: Buffer, { is64, littleEndian }: ElfHeader, fileSize: number): Segment {
  const { segment } = layouts[is64 ? 64 : 32];
  const view = dataView(bytes);
  const isLoaded = view.getUint32(0, littleEndian) === PT_LOAD;
  const access = view.getUint32(segment.flags, littleEndian) & (PF_W | PF_X);
  const start = Math.min(fileSize, Number(word(view, segment.start, is64, littleEndian)));
  const length = Number(word(view, segment.length, is64, littleEndian));
  return {
    address: word(view, segment.address, is64, littleEndian),
    start,
    length: Math.min(length, fileSize - start),
    isData: isLoaded && access === PF_W,
    isConstant: isLoaded && access === 0,
    isLoaded,
  };
}

/** A number as wide as an address. */
export function word(view: DataView, offset: number, is64: boolean, littleEndian: boolean): bigint {
  return is64 ? view.getBigUint64(offset, littleEndian) : BigInt(view.getUint32(offset, littleEndian));
}

export function dataView(bytes: Buffer): DataView {
  return new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}
