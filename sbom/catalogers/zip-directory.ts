import { EvidenceFault } from './cataloger.ts';
import type { FilePart, FileParts } from './file-parts.ts';

/** A file in a zip archive as the central directory has it. None of these can be relied on. */
export interface ZipEntry {
  readonly name: string;
  readonly method: number;
  readonly isEncrypted: boolean;
  readonly packedSize: number;
  readonly size: number;
  /** Of its local header, in the file that holds the archive. */
  readonly start: number;
}

export interface ZipDirectory {
  /** In bytes, in that file. */
  readonly start: number;
  readonly length: number;
  /** Where the archive begins: others may precede it, as the script that starts a program. */
  readonly base: number;
}

const END = Buffer.from('PK\x05\x06', 'latin1');
const END_BYTES = 22;
const MAX_COMMENT = 0xffff;
const ZIP64_LOCATOR = 0x07064b50;
const ZIP64_LOCATOR_BYTES = 20;
const ZIP64_END = 0x06064b50;
const ZIP64_END_BYTES = 56;
const ENTRY = 0x02014b50;
const ENTRY_BYTES = 46;
const LOCAL = 0x04034b50;
const ZIP64_EXTRA = 1;
const UNSET = 0xffffffff;
/** More of what looks like an end record stands in comments only to make somebody look at each. */
const MAX_END_RECORDS = 64;

/**
 * Where the central directory of an archive is, by the rules of Java's own ZipFile, so that no archive shows one
 * content here and another one there. APPNOTE 4.3.16 leaves open which end record counts. Throws EvidenceFault.
 */
export function findDirectory(file: FileParts): ZipDirectory {
  // Archives seldom have a comment.
  for (const length of [END_BYTES, END_BYTES + MAX_COMMENT]) {
    const start = Math.max(0, file.size - length);
    const tail = file.read(start, file.size - start);
    for (const at of endRecords(tail)) {
      const found = directoryAt(file, start + at, tail.subarray(at));
      if (found) return found;
    }
  }
  throw new EvidenceFault('the archive has no directory');
}

/** Places of what may be an end record, the last first. */
function* endRecords(tail: Buffer): Generator<number> {
  let at = tail.length - END_BYTES + 1;
  for (let count = 0; at > 0 && count < MAX_END_RECORDS; count++) {
    at = tail.lastIndexOf(END, at - 1);
    if (at >= 0) yield at;
  }
}

function directoryAt(file: FileParts, at: number, end: Buffer): ZipDirectory | undefined {
  const isLast = end.readUInt16LE(20) === end.length - END_BYTES;
  const found =
    zip64Directory(file, at, end) ?? directoryBefore(at, end.readUInt32LE(12), end.readUInt32LE(16));
  const isSound = found.start >= 0 && found.base >= 0;
  return isSound && (isLast || startsWithEntry(file, found)) ? found : undefined;
}

/** The directory ends where the end record begins, whatever offset that states: something may precede the archive. */
function directoryBefore(end: number, length: number, offset: number): ZipDirectory {
  return { start: end - length, length, base: end - length - offset };
}

function zip64Directory(file: FileParts, at: number, end: Buffer): ZipDirectory | undefined {
  if (at < ZIP64_LOCATOR_BYTES) return undefined;
  const locator = file.read(at - ZIP64_LOCATOR_BYTES, ZIP64_LOCATOR_BYTES);
  if (readUInt32(locator, 0) !== ZIP64_LOCATOR) return undefined;
  const position = Number(locator.readBigUInt64LE(8));
  const record = position < at ? file.read(position, ZIP64_END_BYTES) : Buffer.alloc(0);
  if (record.length < ZIP64_END_BYTES || readUInt32(record, 0) !== ZIP64_END) return undefined;
  const length = Number(record.readBigUInt64LE(40));
  const offset = Number(record.readBigUInt64LE(48));
  const agrees =
    [length, UNSET].includes(end.readUInt32LE(12)) && [offset, UNSET].includes(end.readUInt32LE(16));
  return agrees ? directoryBefore(position, length, offset) : undefined;
}

function startsWithEntry(file: FileParts, { start, length, base }: ZipDirectory): boolean {
  if (length === 0) return false;
  return readUInt32(file.read(start, 4), 0) === ENTRY && readUInt32(file.read(base, 4), 0) === LOCAL;
}

/** The entries in the order of the directory; throws EvidenceFault where it is damaged. */
export function* readEntries(file: FileParts, { start, length, base }: ZipDirectory): Generator<ZipEntry> {
  const bytes = file.read(start, length);
  for (let at = 0; at < bytes.length; ) {
    if (at + ENTRY_BYTES > bytes.length || bytes.readUInt32LE(at) !== ENTRY) throw damaged();
    const nameEnd = at + ENTRY_BYTES + bytes.readUInt16LE(at + 28);
    const extraEnd = nameEnd + bytes.readUInt16LE(at + 30);
    if (extraEnd > bytes.length) throw damaged();
    const [size = 0, packedSize = 0, offset = 0] = trueSizes(
      [bytes.readUInt32LE(at + 24), bytes.readUInt32LE(at + 20), bytes.readUInt32LE(at + 42)],
      bytes.subarray(nameEnd, extraEnd),
    );
    yield {
      name: bytes.toString('utf8', at + ENTRY_BYTES, nameEnd),
      method: bytes.readUInt16LE(at + 10),
      isEncrypted: (bytes.readUInt16LE(at + 8) & 1) !== 0,
      packedSize,
      size,
      start: base + offset,
    };
    at = extraEnd + bytes.readUInt16LE(at + 32);
  }
}

function damaged(): EvidenceFault {
  return new EvidenceFault('the directory of the archive is damaged');
}

/** APPNOTE 4.5.3: values that do not fit stand in a field of their own, in this order, and only those. */
function trueSizes(values: readonly number[], extra: Buffer): readonly number[] {
  if (!values.includes(UNSET)) return values;
  const field = findExtra(extra, ZIP64_EXTRA);
  let at = 0;
  return values.map((value) => {
    if (value !== UNSET || at + 8 > field.length) return value;
    at += 8;
    return Number(field.readBigUInt64LE(at - 8));
  });
}

function findExtra(extra: Buffer, id: number): Buffer {
  for (let at = 0; at + 4 <= extra.length; at += 4 + extra.readUInt16LE(at + 2)) {
    if (extra.readUInt16LE(at) === id) return extra.subarray(at + 4, at + 4 + extra.readUInt16LE(at + 2));
  }
  return Buffer.alloc(0);
}

const LOCAL_BYTES = 30;

/** Where the packed bytes of an entry begin; throws EvidenceFault if they are not all there. */
export function dataStart(file: FileParts, { start, packedSize }: ZipEntry): number {
  const header = file.read(start, LOCAL_BYTES);
  if (header.length < LOCAL_BYTES || header.readUInt32LE(0) !== LOCAL) {
    throw new EvidenceFault('a file in the archive is not where its directory says');
  }
  const data = start + LOCAL_BYTES + header.readUInt16LE(26) + header.readUInt16LE(28);
  if (data + packedSize > file.size) throw new EvidenceFault('a file in the archive is cut off');
  return data;
}

/** Local headers have fields that the directory lacks, alignment and times: tens of bytes. */
const MAX_LOCAL_EXTRA = 1024;

/** Where an entry is with its header, and maybe a little more. */
export function partOf({ name, start, packedSize }: ZipEntry, size: number): FilePart {
  const length = LOCAL_BYTES + Buffer.byteLength(name) + MAX_LOCAL_EXTRA + packedSize;
  const from = Math.min(Math.max(start, 0), size);
  return { start: from, length: Math.min(length, size - from) };
}

/** Fewer reads are worth some bytes between them. */
const NEAR_BYTES = 16 * 1024;

/** The same parts in their order, those that are near each other as one. */
export function joinNear(parts: readonly FilePart[]): readonly FilePart[] {
  const joined: FilePart[] = [];
  for (const part of parts.toSorted((a, b) => a.start - b.start)) {
    const last = joined.at(-1);
    const end = last ? last.start + last.length : Number.NEGATIVE_INFINITY;
    if (last && part.start <= end + NEAR_BYTES) {
      joined[joined.length - 1] = {
        start: last.start,
        length: Math.max(end, part.start + part.length) - last.start,
      };
    } else {
      joined.push(part);
    }
  }
  return joined;
}

function readUInt32(bytes: Buffer, at: number): number | undefined {
  return at + 4 <= bytes.length ? bytes.readUInt32LE(at) : undefined;
}
