import { Readable } from 'node:stream';
import { explain } from '@gatehouse/lib/errors.ts';
import {
  catalogBlob,
  catalogerNamed,
  encodeFragment,
  examine,
  FileParts,
  SbomError,
} from '@gatehouse/sbom/parsing.ts';
import { type Frame, readFrames, writeFrame } from './frames.ts';

/**
 * The process that looks into what comes out of images. It has no files but its own code, no capability, no credential
 * and a user of its own: whoever takes it over can say wrong things of this one node's layers. The network is not kept
 * from it; Node.js 24 has no permission for that.
 */
async function main(): Promise<void> {
  const frames = readFrames(process.stdin);
  for await (const frame of frames) {
    if (frame.kind === 'examine') answerExamine(frame);
    else if (frame.kind === 'blob') await answerBlob(frame, frames);
    // The rest of a layer that was given up in its midst.
    else if (frame.kind !== 'chunk' && frame.kind !== 'end') throw new Error(`what is ${frame.kind}?`);
  }
}

interface Examination {
  readonly id: number;
  readonly cataloger: string;
  readonly hint: string;
  readonly size: number;
  readonly pieces: readonly { readonly start: number; readonly length: number }[];
  readonly searched: readonly { readonly start: number; readonly length: number }[];
}

function answerExamine({ header, body }: Frame): void {
  const { id, cataloger, hint, size, pieces, searched } = header as unknown as Examination;
  const found = catalogerNamed(cataloger);
  if (!found) throw new Error(`there is no cataloger ${cataloger}`);
  let end = 0;
  const parts = pieces.map(({ start, length }) => {
    const bytes = body.subarray(end, end + length);
    end += length;
    return { start, bytes };
  });
  writeFrame(process.stdout, 'examined', {
    id,
    findings: examine(found, new FileParts(size, parts, { hint, searched })),
  });
}

/** Asks for the bytes of a layer, as often as they are needed, and gives its fragment. */
async function answerBlob({ header }: Frame, frames: AsyncGenerator<Frame, void, undefined>): Promise<void> {
  const { name, diffId } = header as { name: string; diffId: string };
  const open = (): Readable => {
    writeFrame(process.stdout, 'open', {});
    return Readable.from(chunksOf(frames), { objectMode: false });
  };
  try {
    const { fragment } = await catalogBlob({ name, open }, { diffId });
    writeFrame(process.stdout, 'cataloged', {}, [await encodeFragment(fragment)]);
  } catch (error) {
    const code = error instanceof SbomError ? error.code : 'layer_corrupt';
    writeFrame(process.stdout, 'failed', { code, message: explain(error) });
  }
}

async function* chunksOf(
  frames: AsyncGenerator<Frame, void, undefined>,
): AsyncGenerator<Buffer, void, undefined> {
  for (;;) {
    const { value: frame } = await frames.next();
    if (frame?.kind === 'chunk') yield frame.body;
    else if (frame?.kind === 'end') return;
    else throw new Error('the layer broke off');
  }
}

await main();
