import { crc32, inflateRawSync } from 'node:zlib';
import { type Entry, fromRandomAccessReaderPromise, type ZipFile } from 'yauzl';
import { AdvisoryError } from '../errors.ts';
import { type FeedFile, MAX_FEED_BYTES, tooLarge } from './source.ts';
import { WindowReader } from './window-reader.ts';

/** A hundred times the largest feed of flaws; npm's reports of malware come near it. */
const MAX_RECORDS = 1_000_000;

/** The largest of 45,000 records of eight databases has 94 kB. */
const MAX_RECORD_BYTES = 8 * 1024 ** 2;

/** The same records were packed to a 28th at best; what is packed much tighter is no advisory. */
const MAX_RATIO = 200;

/** As many records as are allowed, of twice the average size in the wordiest of those databases. */
const MAX_TOTAL_BYTES = 8 * 1024 ** 3;

export interface ZipRecord {
  readonly name: string;
  readonly bytes: Buffer;
}

/**
 * The JSON files of a zip archive, one at a time in memory. One that cannot be read is handed to `skip`. Throws
 * `feed_damaged` if the archive itself cannot be read, and `feed_too_large`.
 */
export async function* readZipRecords(
  file: FeedFile,
  skip: (error: AdvisoryError) => void,
): AsyncGenerator<ZipRecord> {
  const reader = new WindowReader(file.handle);
  const zip = await openZip(reader, file);
  let total = 0;
  for await (const entry of entriesOf(zip, file.name)) {
    if (!entry.fileName.endsWith('.json')) continue;
    const bytes = await readEntry(zip, reader, entry, file.name).catch((error: unknown) => {
      if (!(error instanceof AdvisoryError)) throw error;
      skip(error);
    });
    if (bytes === undefined) continue;
    total += bytes.length;
    if (total > MAX_TOTAL_BYTES) throw tooLarge(file.name, `more than ${MAX_TOTAL_BYTES} bytes unpacked`);
    yield { name: entry.fileName, bytes };
  }
}

async function openZip(reader: WindowReader, { handle, name }: FeedFile): Promise<ZipFile> {
  const { size } = await handle.stat();
  if (size > MAX_FEED_BYTES) throw tooLarge(name, `${size} bytes`);
  const zip = await fromRandomAccessReaderPromise(reader, size).catch((cause: unknown) => {
    throw damaged(name, cause);
  });
  if (zip.entryCount > MAX_RECORDS) throw tooLarge(name, `${zip.entryCount} records`);
  return zip;
}

async function* entriesOf(zip: ZipFile, archive: string): AsyncGenerator<Entry> {
  try {
    yield* zip.eachEntry();
  } catch (cause) {
    throw damaged(archive, cause);
  }
}

function damaged(archive: string, cause: unknown): AdvisoryError {
  return new AdvisoryError('feed_damaged', `the feed ${archive} cannot be read as a zip archive`, {
    cause,
    hint: 'Fetch it again.',
  });
}

const DEFLATE = 8;
const STORED = 0;

async function readEntry(zip: ZipFile, reader: WindowReader, entry: Entry, archive: string): Promise<Buffer> {
  const place = `${entry.fileName} in ${archive}`;
  const { compressedSize, uncompressedSize, compressionMethod } = entry;
  if (Math.max(compressedSize, uncompressedSize) > MAX_RECORD_BYTES) {
    throw new AdvisoryError('record_too_large', `${place} has more than ${MAX_RECORD_BYTES} bytes`);
  }
  if (uncompressedSize > MAX_RATIO * compressedSize) {
    throw new AdvisoryError('record_too_large', `${place} unpacks to more than ${MAX_RATIO} times its size`);
  }
  try {
    const { fileDataStart } = await zip.readLocalFileHeaderPromise(entry, { minimal: true });
    const packed = await reader.bytesAt(fileDataStart, compressedSize);
    const bytes = unpack(packed, compressionMethod, uncompressedSize);
    if (crc32(bytes) !== entry.crc32) throw new Error('the checksum differs');
    return bytes;
  } catch (cause) {
    throw new AdvisoryError('record_damaged', `${place} cannot be unpacked`, { cause });
  }
}

/**
 * A record is at most a few megabytes, so unpacking it at once is faster than a stream and no burden. What is stored as
 * it is is copied, lest it keep the reader's whole window in memory.
 */
function unpack(packed: Buffer, method: number, size: number): Buffer {
  if (method === STORED) return Buffer.from(packed);
  if (method === DEFLATE) return inflateRawSync(packed, { maxOutputLength: Math.max(size, 1) });
  throw new Error(`compression method ${method} is not supported`);
}
