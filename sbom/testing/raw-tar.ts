/** One header block with its body, put together by hand: for archives that no honest writer would write. */
export function rawEntry(
  fields: {
    name?: string;
    type?: string;
    size?: number;
    linkname?: string;
    magic?: string;
    prefix?: string;
    trailer?: string;
    sum?: 'unsigned' | 'signed';
  },
  body: string | Buffer = '',
): Buffer {
  const content = Buffer.from(body);
  const block = Buffer.alloc(512);
  block.write(fields.name ?? 'name', 0, 100, 'utf8');
  block.write('0000755', 100);
  block.write((fields.size ?? content.length).toString(8).padStart(11, '0'), 124);
  block.write(fields.type ?? '0', 156, 'latin1');
  block.write(fields.linkname ?? '', 157, 100, 'utf8');
  block.write(fields.magic ?? 'ustar\x0000', 257, 'latin1');
  block.write(fields.prefix ?? '', 345, 155, 'utf8');
  block.write(fields.trailer ?? '', 508, 'latin1');
  sealHeader(block, fields.sum);
  return Buffer.concat([block, content, Buffer.alloc(-content.length & 511)]);
}

/** Writes the checksum of a header: of its bytes, or of what old Suns took for them. */
export function sealHeader(block: Buffer, kind: 'unsigned' | 'signed' = 'unsigned'): void {
  block.fill(' ', 148, 156);
  let sum = 0;
  for (const byte of block.subarray(0, 512)) sum += kind === 'signed' && byte > 127 ? byte - 256 : byte;
  block.write(`${sum.toString(8).padStart(6, '0')}\0 `, 148, 'latin1');
}

export const END_OF_ARCHIVE = Buffer.alloc(1024);

/** The record of a PAX header, which begins with its own length. */
export function paxRecord(key: string, value: string): string {
  const rest = ` ${key}=${value}\n`;
  const length = Buffer.byteLength(rest);
  const withOneDigitLess = length + String(length).length;
  const total = length + String(withOneDigitLess).length;
  return `${total}${rest}`;
}
