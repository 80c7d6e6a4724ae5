const INT32 = 4;
const STRING = 6;
const BINARY = 7;
const STRING_ARRAY = 8;
const CHAR = 1;
const REGION = 63;

/** A package as RPM would have it in its database. */
export interface SampleRpm {
  readonly name: string;
  readonly version: string;
  readonly release: string;
  readonly epoch?: number | undefined;
  readonly arch?: string | undefined;
  readonly sourceRpm?: string | undefined;
  readonly module?: string | undefined;
  /** Absolute paths. */
  readonly files?: readonly string[] | undefined;
  /** One a file: 0 for those that are there. */
  readonly states?: readonly number[] | undefined;
}

/** An entry of a header: what type its data is of, how many there are, and what they are. */
export interface SampleEntry {
  readonly tag: number;
  readonly type: number;
  readonly count: number;
  readonly data: Buffer;
}

/** A header as RPM itself takes it: what came in the package is framed, so that it can be checked later on. */
export function rpmHeader(sample: SampleRpm): Buffer {
  const files = sample.files ?? [];
  const folders = [...new Set(files.map(folderOf))];
  const indexes = files.map((file) => folders.indexOf(folderOf(file)));
  const entries = [
    ...textEntry(1000, sample.name),
    ...textEntry(1001, sample.version),
    ...textEntry(1002, sample.release),
    ...(sample.epoch === undefined ? [] : [numbersEntry(1003, [sample.epoch])]),
    ...textEntry(1022, sample.arch),
    ...(sample.states ? [charsEntry(1029, sample.states)] : []),
    ...textEntry(1044, sample.sourceRpm),
    ...(files.length === 0
      ? []
      : [
          numbersEntry(1116, indexes),
          textsEntry(
            1117,
            files.map((file) => file.slice(folderOf(file).length)),
          ),
          textsEntry(1118, folders),
        ]),
    ...textEntry(5096, sample.module),
  ];
  const header = headerOf([{ tag: REGION, type: BINARY, count: 16, data: Buffer.alloc(0) }, ...entries]);
  const bytes = header.readUInt32BE(4);
  header.writeUInt32BE(bytes + 16, 4);
  header.writeUInt32BE(bytes, 16);
  const trailer = Buffer.alloc(16);
  for (const [field, value] of [REGION, BINARY, -16 * (entries.length + 1), 16].entries()) {
    trailer.writeInt32BE(value, 4 * field);
  }
  return Buffer.concat([header, trailer]);
}

/** Numbers of four bytes are at a multiple of four. */
export function headerOf(entries: readonly SampleEntry[]): Buffer {
  const index = Buffer.alloc(8 + 16 * entries.length);
  let values = Buffer.alloc(0);
  for (const [number, { tag, type, count, data }] of entries.entries()) {
    const padding = Buffer.alloc(type === INT32 ? -values.length & 3 : 0);
    values = Buffer.concat([values, padding, data]);
    for (const [field, value] of [tag, type, values.length - data.length, count].entries()) {
      index.writeUInt32BE(value, 8 + 16 * number + 4 * field);
    }
  }
  index.writeUInt32BE(entries.length, 0);
  index.writeUInt32BE(values.length, 4);
  return Buffer.concat([index, values]);
}

export function textEntry(tag: number, text: string | undefined): SampleEntry[] {
  return text === undefined ? [] : [{ tag, type: STRING, count: 1, data: Buffer.from(`${text}\0`) }];
}

function textsEntry(tag: number, texts: readonly string[]): SampleEntry {
  const data = Buffer.from(texts.map((text) => `${text}\0`).join(''));
  return { tag, type: STRING_ARRAY, count: texts.length, data };
}

function numbersEntry(tag: number, values: readonly number[]): SampleEntry {
  const data = Buffer.alloc(4 * values.length);
  for (const [index, value] of values.entries()) data.writeUInt32BE(value, 4 * index);
  return { tag, type: INT32, count: values.length, data };
}

function charsEntry(tag: number, values: readonly number[]): SampleEntry {
  return { tag, type: CHAR, count: values.length, data: Buffer.from(values) };
}

function folderOf(file: string): string {
  return file.slice(0, file.lastIndexOf('/') + 1);
}
