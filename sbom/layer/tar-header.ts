import { ArchiveFault } from './archive-fault.ts';

/**
 * One 512-byte header of a tar archive, read as Go's archive/tar reads it. Every common container runtime unpacks with
 * that one; where readers differ, an archive could show us something else than it unpacks to.
 */
export interface TarHeader {
  readonly typeflag: string;
  readonly name: string;
  readonly linkname: string;
  readonly size: number;
  readonly mode: number;
  readonly device: { readonly major: number; readonly minor: number };
}

export const BLOCK_BYTES = 512;

/** Offset and length of the fields, from pax(1) "ustar Interchange Format" and tar(5) for GNU and star. */
const fields = {
  name: [0, 100],
  mode: [100, 8],
  size: [124, 12],
  checksum: [148, 8],
  typeflag: [156, 1],
  linkname: [157, 100],
  magic: [257, 8],
  major: [329, 8],
  minor: [337, 8],
  prefix: [345, 155],
  starPrefix: [345, 131],
  gnuAccessTime: [345, 12],
  gnuChangeTime: [357, 12],
  starTrailer: [508, 4],
} as const;

export function parseTarHeader(block: Buffer): TarHeader {
  const checksum = number(block, 'checksum');
  const sums = checksums(block);
  if (checksum !== sums.unsigned && checksum !== sums.signed) {
    throw new ArchiveFault('a header with a wrong checksum');
  }
  const prefix = namePrefix(block);
  const name = text(block, 'name');
  return {
    typeflag: String.fromCharCode(block[fields.typeflag[0]] ?? 0),
    name: prefix === '' ? name : `${prefix}/${name}`,
    linkname: text(block, 'linkname'),
    size: number(block, 'size'),
    mode: number(block, 'mode'),
    device: hasDevice(block)
      ? { major: number(block, 'major'), minor: number(block, 'minor') }
      : { major: 0, minor: 0 },
  };
}

function raw(block: Buffer, field: keyof typeof fields): Buffer {
  const [start, length] = fields[field];
  return block.subarray(start, start + length);
}

function text(block: Buffer, field: keyof typeof fields): string {
  return cString(raw(block, field));
}

/** Up to the first NUL, if there is one. */
export function cString(bytes: Buffer): string {
  const end = bytes.indexOf(0);
  return bytes.toString('utf8', 0, end === -1 ? bytes.length : end);
}

function number(block: Buffer, field: keyof typeof fields): number {
  return parseNumber(raw(block, field));
}

/** Octal digits between blanks and NULs, or, if the first bit is set, a big-endian two's complement number. */
function parseNumber(bytes: Buffer): number {
  const first = bytes[0] ?? 0;
  const value = first & 0x80 ? base256(bytes) : octal(bytes);
  if (!Number.isSafeInteger(value)) throw new ArchiveFault('a number that is not one');
  return value;
}

function octal(bytes: Buffer): number {
  const digits =
    bytes
      .toString('latin1')
      .replace(/^[ \0]+|[ \0]+$/g, '')
      .split('\0')[0] ?? '';
  if (digits === '') return 0;
  return /^[0-7]+$/.test(digits) ? Number.parseInt(digits, 8) : Number.NaN;
}

function base256(bytes: Buffer): number {
  const bits = bytes.length * 8 - 1;
  const magnitude = BigInt(`0x${bytes.toString('hex')}`) & ((1n << BigInt(bits)) - 1n);
  return Number(BigInt.asIntN(bits, magnitude));
}

/** Old Sun tars summed the bytes as signed ones; both count. */
function checksums(block: Buffer): { unsigned: number; signed: number } {
  const [start, length] = fields.checksum;
  let unsigned = 0;
  let negative = 0;
  for (let i = 0; i < BLOCK_BYTES; i++) {
    const byte = i >= start && i < start + length ? 0x20 : (block[i] ?? 0);
    unsigned += byte;
    if (byte >= 0x80) negative += 256;
  }
  return { unsigned, signed: unsigned - negative };
}

type Format = 'v7' | 'gnu' | 'star' | 'ustar';

function formatOf(block: Buffer): Format {
  const magic = raw(block, 'magic').toString('latin1');
  if (magic === 'ustar  \0') return 'gnu';
  if (!magic.startsWith('ustar\0')) return 'v7';
  return raw(block, 'starTrailer').toString('latin1') === 'tar\0' ? 'star' : 'ustar';
}

function hasDevice(block: Buffer): boolean {
  return formatOf(block) !== 'v7';
}

function namePrefix(block: Buffer): string {
  switch (formatOf(block)) {
    case 'v7':
      return '';
    case 'ustar':
      return text(block, 'prefix');
    case 'star':
      return text(block, 'starPrefix');
    case 'gnu':
      return hasTimes(block) ? '' : asciiPrefix(block);
  }
}

/** GNU tar keeps times where ustar has the prefix; Go before 1.8 wrote a prefix there all the same. */
function hasTimes(block: Buffer): boolean {
  try {
    for (const field of ['gnuAccessTime', 'gnuChangeTime'] as const) {
      if (raw(block, field)[0] !== 0) number(block, field);
    }
    return true;
  } catch {
    // Not a number is the answer, not a fault.
    return false;
  }
}

function asciiPrefix(block: Buffer): string {
  const prefix = text(block, 'prefix');
  return /^\p{ASCII}*$/u.test(prefix) ? prefix : '';
}
