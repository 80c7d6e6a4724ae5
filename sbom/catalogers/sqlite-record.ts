/** A number of one to nine bytes, and where it ends; undefined if it is cut off. Beyond 2^53 it is not exact. */
export function readVarint(bytes: Buffer, at: number): { value: number; end: number } | undefined {
  let value = 0;
  for (let index = 0; index < 9; index++) {
    const byte = bytes[at + index];
    if (byte === undefined) return undefined;
    if (index === 8) return { value: value * 256 + byte, end: at + 9 };
    value = value * 128 + (byte & 0x7f);
    if (byte < 0x80) return { value, end: at + index + 1 };
  }
  return undefined;
}

/** The bytes of whole numbers by their serial types. */
const INTEGER_BYTES = [0, 1, 2, 3, 4, 6, 8, 8, 0, 0, 0, 0];
const FIRST_BLOB_TYPE = 12;
const LAST_INTEGER_TYPE = 5;

/**
 * The first columns of a row, https://www.sqlite.org/fileformat2.html#record_format, as their bytes; undefined if the
 * row is damaged. A row that has fewer gives fewer.
 */
export function readColumns(record: Buffer, most: number): readonly Buffer[] | undefined {
  const columns: Buffer[] = [];
  const header = readVarint(record, 0);
  if (header === undefined || header.value > record.length) return undefined;
  let start = header.value;
  for (let at = header.end; at < header.value && columns.length < most; ) {
    const type = readVarint(record, at);
    if (type === undefined) return undefined;
    at = type.end;
    const end = start + bytesOf(type.value);
    if (end > record.length) return undefined;
    columns.push(record.subarray(start, end));
    start = end;
  }
  return columns;
}

function bytesOf(type: number): number {
  if (type >= FIRST_BLOB_TYPE) return Math.floor((type - FIRST_BLOB_TYPE) / 2);
  return INTEGER_BYTES[type] ?? 0;
}

/** A whole number that is no less than 0; undefined if the column is of another kind. */
export function toInteger(column: Buffer | undefined): number | undefined {
  if (
    column === undefined ||
    column.length === 0 ||
    column.length > (INTEGER_BYTES[LAST_INTEGER_TYPE] ?? 0)
  ) {
    return undefined;
  }
  return column.readUIntBE(0, column.length);
}
