import { createHash } from 'node:crypto';

/**
 * A UUID that says of a document what a random one would, that no other has it, and is the same for the same content.
 * RFC 9562, section 5.8: version 8 leaves the other bits to us, here the first of a SHA-256.
 */
export function stableUuid(content: string): string {
  const bytes = createHash('sha256').update(content).digest().subarray(0, 16);
  bytes.writeUInt8((bytes.readUInt8(6) & 0x0f) | 0x80, 6);
  bytes.writeUInt8((bytes.readUInt8(8) & 0x3f) | 0x80, 8);
  const hex = bytes.toString('hex');
  return [hex.slice(0, 8), hex.slice(8, 12), hex.slice(12, 16), hex.slice(16, 20), hex.slice(20)].join('-');
}
