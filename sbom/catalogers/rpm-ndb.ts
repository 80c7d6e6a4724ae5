import { EvidenceFault } from './cataloger.ts';
import { MAX_HEADER_BYTES } from './rpm-limits.ts';

/** Of rpm's lib/backend/ndb/rpmpkg.c, whose numbers are all little-endian. */
const HEADER = { version: 4, slotPages: 12, length: 32 } as const;
const SLOT = { row: 4, block: 8, blocks: 12, length: 16 } as const;
const BLOB = { row: 4, bytes: 12, length: 16 } as const;
const MAGIC = 'RpmP';
const SLOT_MAGIC = 'Slot';
const BLOB_MAGIC = 'BlbS';
const VERSION = 0;
const SLOT_PAGE_BYTES = 4096;
const BLOCK_BYTES = 16;
/** A checksum, the length once more, and a magic number. */
const TAIL_BYTES = 12;

export function isNdb(bytes: Buffer): boolean {
  return startsWith(bytes, MAGIC);
}

/**
 * The rows of the database that RPM has of its own making, on SUSE; undefined for each that cannot be read. Throws
 * EvidenceFault if it is no such database.
 */
export function* ndbRows(bytes: Buffer): Generator<Buffer | undefined> {
  const isWhole = bytes.length >= HEADER.length;
  if (!isNdb(bytes) || !isWhole || bytes.readUInt32LE(HEADER.version) !== VERSION) {
    throw new EvidenceFault('the file is no ndb database of a known version');
  }
  const slotsEnd = bytes.readUInt32LE(HEADER.slotPages) * SLOT_PAGE_BYTES;
  // Rows share no bytes with each other; whatever a damaged file says, no more than all of its own are looked at.
  let left = bytes.length;
  for (let at = HEADER.length; at + SLOT.length <= Math.min(slotsEnd, bytes.length); at += SLOT.length) {
    const slot = bytes.subarray(at, at + SLOT.length);
    const isSlot = startsWith(slot, SLOT_MAGIC);
    if (isSlot && slot.readUInt32LE(SLOT.row) === 0) continue;
    const blob = isSlot ? blobOf(bytes, slot) : undefined;
    left -= blob?.length ?? 0;
    yield left >= 0 ? blob : undefined;
  }
  // As if one row had been in the slots that were cut off.
  if (slotsEnd > bytes.length) yield undefined;
}

function blobOf(bytes: Buffer, slot: Buffer): Buffer | undefined {
  const start = slot.readUInt32LE(SLOT.block) * BLOCK_BYTES;
  const end = start + slot.readUInt32LE(SLOT.blocks) * BLOCK_BYTES;
  if (end > bytes.length || end - start < BLOB.length + TAIL_BYTES) return undefined;
  const blob = bytes.subarray(start, end);
  const length = blob.readUInt32LE(BLOB.bytes);
  const isSound =
    startsWith(blob, BLOB_MAGIC) &&
    blob.readUInt32LE(BLOB.row) === slot.readUInt32LE(SLOT.row) &&
    length <= MAX_HEADER_BYTES &&
    BLOB.length + length + TAIL_BYTES <= blob.length;
  return isSound ? blob.subarray(BLOB.length, BLOB.length + length) : undefined;
}

function startsWith(bytes: Buffer, magic: string): boolean {
  return bytes.toString('latin1', 0, magic.length) === magic;
}
