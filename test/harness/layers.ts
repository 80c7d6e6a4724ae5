import { spawn } from 'node:child_process';
import { createHash, type Hash } from 'node:crypto';
import { once } from 'node:events';
import { createReadStream, createWriteStream } from 'node:fs';
import { rename, stat } from 'node:fs/promises';
import path from 'node:path';
import { PassThrough } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { createGzip, createZstdCompress } from 'node:zlib';
import { HarnessError } from './errors.ts';

const compressions = {
  gzip: { suffix: '+gzip', open: () => createGzip() },
  zstd: { suffix: '+zstd', open: () => createZstdCompress() },
  none: { suffix: '', open: () => new PassThrough() },
} as const;

/** A tar archive, or a folder whose files become root's and get the time 0, so that equal files give equal bytes. */
export type Layer = ({ readonly tar: string } | { readonly folder: string }) & {
  /** gzip, unless told. */
  readonly compression?: keyof typeof compressions;
};

export interface Descriptor {
  readonly mediaType: string;
  readonly digest: string;
  readonly size: number;
}

export interface WrittenLayer {
  readonly descriptor: Descriptor;
  /** The digest without the compression. */
  readonly diffId: string;
}

/** Writes a layer into a folder of blobs. */
export async function writeLayer(blobs: string, layer: Layer): Promise<WrittenLayer> {
  const { suffix, open } = compressions[layer.compression ?? 'gzip'];
  const unfinished = path.join(blobs, 'unfinished');
  const [plain, compressed] = [createHash('sha256'), createHash('sha256')];
  await pipeline(
    readLayer(layer),
    hashInto(plain),
    open(),
    hashInto(compressed),
    createWriteStream(unfinished),
  );
  const digest = compressed.digest('hex');
  const { size } = await stat(unfinished);
  await rename(unfinished, path.join(blobs, digest));
  const mediaType = `application/vnd.oci.image.layer.v1.tar${suffix}`;
  return {
    descriptor: { mediaType, digest: `sha256:${digest}`, size },
    diffId: `sha256:${plain.digest('hex')}`,
  };
}

const hashInto = (hash: Hash) =>
  async function* (chunks: AsyncIterable<Buffer>): AsyncIterable<Buffer> {
    for await (const chunk of chunks) {
      hash.update(chunk);
      yield chunk;
    }
  };

async function* readLayer(layer: Layer): AsyncIterable<Buffer> {
  if ('tar' in layer) {
    yield* createReadStream(layer.tar);
    return;
  }
  const same = ['--sort=name', '--mtime=@0', '--owner=0', '--group=0', '--numeric-owner', '--format=gnu'];
  const tar = spawn('tar', [...same, '-C', layer.folder, '-c', '.'], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  const ended = once(tar, 'close');
  yield* tar.stdout;
  const [code] = await ended;
  if (code !== 0) throw new HarnessError('command_failed', `tar could not read ${layer.folder}`);
}
