import { Readable } from 'node:stream';
import { buffer } from 'node:stream/consumers';
import { type Header, pack } from 'tar-stream';
import type { LayerBlob } from '../layer/blob-reader.ts';

/** An entry of an archive for a test; a file if nothing else is said. */
export interface SampleEntry extends Partial<Header> {
  readonly name: string;
  readonly content?: string | Buffer;
}

/** An archive as tar-stream writes it, by other people's code than ours. */
export async function tarOf(entries: readonly SampleEntry[]): Promise<Buffer> {
  const archive = pack();
  for (const { content = '', ...header } of entries) {
    archive.entry({ type: 'file', ...header }, content);
  }
  archive.finalize();
  return buffer(archive);
}

/** Bytes as the blob of a layer; `opened` counts how often it was asked for. */
export function blobOf(bytes: Buffer): LayerBlob & { opened: number } {
  const blob = {
    name: 'sample',
    opened: 0,
    open: () => {
      blob.opened += 1;
      return Readable.from([bytes]);
    },
  };
  return blob;
}
