import { createReadStream, createWriteStream } from 'node:fs';
import { mkdtemp, open, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pipeline } from 'node:stream/promises';
import { ArchiveFault } from '../layer/archive-fault.ts';
import { decompress, isCompressed, MAGIC_BYTES } from '../layer/decompress.ts';

/** Images of models have tens of gigabytes; more than this would be meant to fill the disk. */
const MAX_INFLATED_BYTES = 128 * 1024 ** 3;

/** The path of the archive without compression: its own, or that of a temporary file that `resources` will remove. */
export async function inflateArchive(path: string, resources: AsyncDisposableStack): Promise<string> {
  if (!(await isCompressedFile(path))) return path;
  const folder = await mkdtemp(join(tmpdir(), 'gatehouse-archive-'));
  resources.defer(() => rm(folder, { recursive: true }));
  const inflated = join(folder, 'archive.tar');
  await pipeline(createReadStream(path), decompress, limit, createWriteStream(inflated));
  return inflated;
}

async function isCompressedFile(path: string): Promise<boolean> {
  await using file = await open(path);
  const { buffer } = await file.read(Buffer.alloc(MAGIC_BYTES), 0, MAGIC_BYTES, 0);
  return isCompressed(buffer);
}

async function* limit(input: AsyncIterable<Buffer>): AsyncGenerator<Buffer> {
  let length = 0;
  for await (const chunk of input) {
    length += chunk.length;
    if (length > MAX_INFLATED_BYTES) throw new ArchiveFault(`more than ${MAX_INFLATED_BYTES} bytes`);
    yield chunk;
  }
}
