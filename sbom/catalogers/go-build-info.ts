import { EvidenceFault } from './cataloger.ts';
import type { Segment } from './elf.ts';
import type { FilePart, FileParts } from './file-parts.ts';

/** What the Go linker writes into every program: the version of the toolchain, and lines about the modules. */
export interface GoBuildInfo {
  readonly toolchain: string;
  readonly modules: string;
}

const MAGIC = Buffer.from('\xff Go buildinf:', 'latin1');
const ALIGNMENT = 16;
const HEADER_BYTES = 32;
const POINTER_BYTES_AT = 14;
const FLAGS_AT = 15;
const FLAG_BIG_ENDIAN = 1;
const FLAG_INLINE = 2;
/** A multiple of the alignment, so that no magic number lies across two pieces. */
const PIECE_BYTES = 1024 * 1024;
/** A sentinel of as many bytes stands before and after the lines about modules. */
const SENTINEL_BYTES = 16;
/** Kubernetes, with 173 modules, has 17 KB. */
const MAX_MODULES_BYTES = 4 * 1024 * 1024;
const MAX_TOOLCHAIN_BYTES = 1024;
/** Programs that are loaded anywhere keep tables of addresses there: the 25 MB of dockerd are the most that was met. */
const MAX_DATA_BYTES = 64 * 1024 * 1024;
/** One is the linker's, a few may be data of a program that reads build information; more are there to waste time. */
const MAX_CANDIDATES = 64;

/** The Go build information of an executable; undefined if it has none, a fault if it has one that is damaged. */
export function findBuildInfo(
  file: FileParts,
  segments: readonly Segment[],
): GoBuildInfo | EvidenceFault | undefined {
  let damage: EvidenceFault | undefined;
  let candidates = 0;
  for (const at of findMagic(file, searchedParts(segments))) {
    const found = readBuildInfo(file, segments, at);
    if (!(found instanceof EvidenceFault)) return found;
    damage ??= found;
    if (++candidates === MAX_CANDIDATES) break;
  }
  return damage;
}

/** The parts of an executable that can hold build information: its writable data, up to a limit. */
export function searchedParts(segments: readonly Segment[]): readonly FilePart[] {
  let left = MAX_DATA_BYTES;
  return segments
    .filter(({ isData }) => isData)
    .map(({ start, length }) => {
      const part = { start, length: Math.min(length, left) };
      left -= part.length;
      return part;
    });
}

/** Positions of the magic number. Programs that read build information of others may have it in their data as well. */
function* findMagic(file: FileParts, parts: readonly FilePart[]): Generator<number> {
  for (const { start, length } of parts) {
    const first = Math.ceil(start / ALIGNMENT) * ALIGNMENT;
    for (let at = first; at < start + length; at += PIECE_BYTES) {
      const piece = file.read(at, Math.min(PIECE_BYTES, start + length - at));
      for (let i = piece.indexOf(MAGIC); i !== -1; i = piece.indexOf(MAGIC, i + 1)) {
        if (i % ALIGNMENT === 0) yield at + i;
      }
    }
  }
}

function readBuildInfo(
  file: FileParts,
  segments: readonly Segment[],
  at: number,
): GoBuildInfo | EvidenceFault {
  const header = file.read(at, HEADER_BYTES);
  if (header.length < HEADER_BYTES) return new EvidenceFault('the build information is cut off');
  const isInline = ((header[FLAGS_AT] ?? 0) & FLAG_INLINE) !== 0;
  const texts = isInline ? readInline(file, at + HEADER_BYTES) : readPointed(file, segments, header);
  const toolchain = texts?.[0]?.toString('utf8');
  if (!toolchain) return new EvidenceFault('the build information is damaged');
  return { toolchain, modules: stripSentinels(texts?.[1]) };
}

/** Since Go 1.18 both texts follow the header, each with its length before it. */
function readInline(file: FileParts, at: number): readonly [Buffer, Buffer] | undefined {
  const toolchain = readCounted(file, at, MAX_TOOLCHAIN_BYTES);
  const modules = toolchain && readCounted(file, toolchain.end, MAX_MODULES_BYTES);
  return modules && [toolchain.bytes, modules.bytes];
}

function readCounted(file: FileParts, at: number, most: number): { bytes: Buffer; end: number } | undefined {
  const prefix = file.read(at, 4);
  let length = 0;
  for (const [index, byte] of prefix.entries()) {
    length += (byte & 0x7f) * 2 ** (7 * index);
    if (byte < 0x80) {
      const start = at + index + 1;
      const bytes = file.read(start, Math.min(length, most));
      return bytes.length === length ? { bytes, end: start + length } : undefined;
    }
  }
  return undefined;
}

/** Before Go 1.18 the header holds the addresses of two Go strings, each an address and a length. */
function readPointed(
  file: FileParts,
  segments: readonly Segment[],
  header: Buffer,
): readonly [Buffer, Buffer] | undefined {
  const bytes = header[POINTER_BYTES_AT];
  if (bytes !== 4 && bytes !== 8) return undefined;
  const isBigEndian = ((header[FLAGS_AT] ?? 0) & FLAG_BIG_ENDIAN) !== 0;
  const pointer = (from: Buffer, index: number): bigint => {
    const piece = from.subarray(index * bytes, (index + 1) * bytes);
    return BigInt(`0x${Buffer.from(isBigEndian ? piece : piece.toReversed()).toString('hex')}`);
  };
  const textAt = (address: bigint, most: number): Buffer | undefined => {
    const string = readAddress(file, segments, address, 2 * bytes);
    if (string === undefined || pointer(string, 1) > most) return undefined;
    return readAddress(file, segments, pointer(string, 0), Number(pointer(string, 1)));
  };
  const pointers = header.subarray(FLAGS_AT + 1);
  const toolchain = textAt(pointer(pointers, 0), MAX_TOOLCHAIN_BYTES);
  const modules = textAt(pointer(pointers, 1), MAX_MODULES_BYTES);
  return toolchain && [toolchain, modules ?? Buffer.alloc(0)];
}

function readAddress(
  file: FileParts,
  segments: readonly Segment[],
  address: bigint,
  length: number,
): Buffer | undefined {
  for (const segment of segments) {
    const offset = address - segment.address;
    if (offset < 0n || offset + BigInt(length) > BigInt(segment.length)) continue;
    const bytes = file.read(segment.start + Number(offset), length);
    return bytes.length === length ? bytes : undefined;
  }
  return undefined;
}

function stripSentinels(bytes: Buffer | undefined): string {
  if (bytes === undefined || bytes.length <= 2 * SENTINEL_BYTES) return '';
  return bytes.subarray(SENTINEL_BYTES, -SENTINEL_BYTES).toString('utf8');
}
