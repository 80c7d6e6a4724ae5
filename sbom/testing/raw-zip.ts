import { crc32, deflateRawSync } from 'node:zlib';

/** A file for an archive; a packed one if nothing else is said. What is set here is written whether it is true or not. */
export interface SampleZipEntry {
  readonly name: string | Buffer;
  readonly content?: string | Buffer;
  readonly method?: number;
  readonly flags?: number;
  /** Instead of the packed content. */
  readonly packed?: Buffer;
  readonly packedSize?: number;
  readonly size?: number;
  /** Of the local header, as the directory states it. */
  readonly offset?: number;
}

export interface SampleZipOptions {
  readonly prefix?: Buffer;
  readonly comment?: Buffer;
  /** What the end record says of the directory's length. */
  readonly directoryLength?: number;
}

/** A zip archive put together by hand, so that it can be one that no honest writer would write. */
export function rawZip(entries: readonly SampleZipEntry[], options: SampleZipOptions = {}): Buffer {
  const { prefix = Buffer.alloc(0), comment = Buffer.alloc(0) } = options;
  const local: Buffer[] = [];
  const directory: Buffer[] = [];
  let at = 0;
  for (const entry of entries) {
    const name = Buffer.from(entry.name);
    const header = headerOf(entry, name.length);
    const bytes = Buffer.concat([Buffer.from('PK\x03\x04', 'latin1'), header.common, name, header.packed]);
    local.push(bytes);
    const offset = Buffer.alloc(14);
    offset.writeUInt32LE(entry.offset ?? at, 10);
    directory.push(Buffer.from('PK\x01\x02\x14\x00', 'latin1'), header.common, offset, name);
    at += bytes.length;
  }
  const listed = Buffer.concat(directory);
  const end = Buffer.alloc(22);
  end.write('PK\x05\x06', 'latin1');
  end.writeUInt16LE(entries.length & 0xffff, 8);
  end.writeUInt16LE(entries.length & 0xffff, 10);
  end.writeUInt32LE(options.directoryLength ?? listed.length, 12);
  end.writeUInt32LE(at, 16);
  end.writeUInt16LE(comment.length, 20);
  return Buffer.concat([prefix, ...local, listed, end, comment]);
}

/** The fields that the local header and the directory share, from the version on. */
function headerOf(entry: SampleZipEntry, nameLength: number): { common: Buffer; packed: Buffer } {
  const content = Buffer.from(entry.content ?? '');
  const method = entry.method ?? 8;
  const packed = entry.packed ?? (method === 8 ? deflateRawSync(content) : content);
  const common = Buffer.alloc(26);
  common.writeUInt16LE(20, 0);
  common.writeUInt16LE(entry.flags ?? 0, 2);
  common.writeUInt16LE(method, 4);
  common.writeUInt32LE(crc32(content), 10);
  common.writeUInt32LE(entry.packedSize ?? packed.length, 14);
  common.writeUInt32LE(entry.size ?? content.length, 18);
  common.writeUInt16LE(nameLength, 22);
  return { common, packed };
}
