import { deflateSync } from 'node:zlib';

const HEADER_BYTES = 64;
const SEGMENT_BYTES = 56;
const SECTION_BYTES = 64;
const EXECUTABLE = 2;
const AMD64 = 62;
const BASE_ADDRESS = 0x400000;
const SENTINEL = Buffer.alloc(16, 's');

/** What a Go linker would have written into the program. */
export interface SampleBuildInfo {
  readonly toolchain: string;
  readonly modules: string;
  /** Before Go 1.18 the texts lay elsewhere in the file, in read-only data. */
  readonly form?: 'inline' | 'pointers';
}

/** A 64-bit little-endian ELF file of a text and a data segment: enough of a program for those that only look at it. */
export function elfProgram(
  data: Buffer,
  options: { text?: Buffer; dataFlags?: number; headersAtEnd?: boolean } = {},
): Buffer {
  const { text = Buffer.alloc(64), dataFlags = 6, headersAtEnd = false } = options;
  const textStart = 4096;
  const dataStart = textStart + Math.ceil(text.length / 4096) * 4096;
  const file = Buffer.alloc(dataStart + data.length + 2 * SEGMENT_BYTES);
  const table = headersAtEnd ? dataStart + data.length : HEADER_BYTES;
  file.write('\x7fELF\x02\x01\x01', 0, 'latin1');
  file.writeUInt16LE(EXECUTABLE, 16);
  file.writeUInt16LE(AMD64, 18);
  file.writeUInt32LE(1, 20);
  file.writeBigUInt64LE(BigInt(table), 32);
  file.writeUInt16LE(HEADER_BYTES, 52);
  file.writeUInt16LE(SEGMENT_BYTES, 54);
  file.writeUInt16LE(2, 56);
  writeSegment(file, table, { flags: 4, start: textStart, length: text.length });
  writeSegment(file, table + SEGMENT_BYTES, { flags: dataFlags, start: dataStart, length: data.length });
  text.copy(file, textStart);
  data.copy(file, dataStart);
  return file;
}

/**
 * An ELF file of `elfProgram` with a section, as linkers add the table of sections: behind all else, the names right
 * before it, unless `gap` other bytes lie between the two. Symbols are between the section and them.
 */
export function withSection(program: Buffer, { name, content, gap = 0 }: SampleSection): Buffer {
  const names = Buffer.from(`\0.shstrtab\0${name}\0`, 'latin1');
  const contentStart = program.length;
  const symbols = Buffer.alloc(8192);
  const namesStart = contentStart + content.length + symbols.length;
  const table = Buffer.alloc(3 * SECTION_BYTES);
  writeSection(table, 1, { name: 1, type: 3, start: namesStart, length: names.length });
  writeSection(table, 2, { name: 11, type: 1, start: contentStart, length: content.length });
  const file = Buffer.concat([program, content, symbols, names, Buffer.alloc(gap), table]);
  file.writeBigUInt64LE(BigInt(file.length - table.length), 40);
  file.writeUInt16LE(SECTION_BYTES, 58);
  file.writeUInt16LE(3, 60);
  file.writeUInt16LE(1, 62);
  return file;
}

interface SampleSection {
  readonly name: string;
  readonly content: Buffer;
  readonly gap?: number;
}

function writeSection(
  table: Buffer,
  index: number,
  section: { name: number; type: number; start: number; length: number },
): void {
  const at = index * SECTION_BYTES;
  table.writeUInt32LE(section.name, at);
  table.writeUInt32LE(section.type, at + 4);
  table.writeBigUInt64LE(BigInt(section.start), at + 24);
  table.writeBigUInt64LE(BigInt(section.length), at + 32);
}

/** A Rust program as `cargo auditable` links it. */
export function rustProgram(list: unknown, options: { gap?: number; program?: Buffer } = {}): Buffer {
  const { program = elfProgram(Buffer.alloc(64)), gap = 0 } = options;
  return withSection(program, { name: '.dep-v0', content: deflateSync(JSON.stringify(list)), gap });
}

/** A program with Go build information, after `padding` bytes of other data. */
export function goProgram({ toolchain, modules, form = 'inline' }: SampleBuildInfo, padding = 0): Buffer {
  const framed = Buffer.concat([SENTINEL, Buffer.from(modules), SENTINEL]);
  const filler = Buffer.alloc(padding);
  if (form === 'inline') {
    const texts = [Buffer.from(toolchain), framed].flatMap((text) => [varint(text.length), text]);
    return elfProgram(
      Buffer.concat([filler, buildInfoHeader(2), Buffer.alloc(16), ...texts, Buffer.alloc(16)]),
    );
  }
  const text = Buffer.concat([
    goString(32, toolchain.length),
    goString(32 + toolchain.length, framed.length),
    Buffer.from(toolchain),
    framed,
  ]);
  return elfProgram(Buffer.concat([filler, buildInfoHeader(0), address(0), address(16)]), { text });
}

function writeSegment(
  file: Buffer,
  at: number,
  segment: { flags: number; start: number; length: number },
): void {
  file.writeUInt32LE(1, at);
  file.writeUInt32LE(segment.flags, at + 4);
  file.writeBigUInt64LE(BigInt(segment.start), at + 8);
  file.writeBigUInt64LE(BigInt(BASE_ADDRESS + segment.start), at + 16);
  file.writeBigUInt64LE(BigInt(segment.length), at + 32);
  file.writeBigUInt64LE(BigInt(segment.length), at + 40);
}

function buildInfoHeader(flags: number): Buffer {
  return Buffer.concat([Buffer.from('\xff Go buildinf:', 'latin1'), Buffer.from([8, flags])]);
}

/** The address of an offset in the text segment. */
function address(offset: number): Buffer {
  const bytes = Buffer.alloc(8);
  bytes.writeBigUInt64LE(BigInt(BASE_ADDRESS + 4096 + offset));
  return bytes;
}

function goString(offset: number, length: number): Buffer {
  const bytes = Buffer.alloc(8);
  bytes.writeBigUInt64LE(BigInt(length));
  return Buffer.concat([address(offset), bytes]);
}

function varint(value: number): Buffer {
  const bytes: number[] = [];
  for (let left = value; left > 0x7f; left >>= 7) bytes.push((left & 0x7f) | 0x80);
  bytes.push(value >> (7 * bytes.length));
  return Buffer.from(bytes);
}
