import { Readable } from 'node:stream';
import { buffer } from 'node:stream/consumers';
import { createGzip } from 'node:zlib';
import { noLog } from '@gatehouse/lib/log.ts';
import { type Fragment, SbomError } from '@gatehouse/sbom';
import { pack } from 'tar-stream';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { CatalogerProcess } from '../../agent/cataloger/cataloger-process.ts';
import { AgentError } from '../../agent/errors.ts';
import { END_OF_ARCHIVE, rawEntry } from '../../sbom/testing/raw-tar.ts';
import { digestOf } from './layers.ts';

const MIB = 1024 * 1024;
/** What all of the corpus may add to this process: buffers on their way, not contents. */
const MAX_GROWTH_BYTES = 256 * MIB;

let cataloger: CatalogerProcess;

beforeAll(() => {
  cataloger = new CatalogerProcess(noLog);
});

afterAll(() => cataloger?.[Symbol.asyncDispose]());

/** How a layer ended: the code of the error, or the problems that it was read with. */
async function endOf(open: () => Readable, diffId?: string): Promise<string | readonly string[]> {
  try {
    const { fragment } = await cataloger.catalogBlob(
      { name: 'layer', open },
      { diffId: diffId ?? (await diffIdOf(open)) },
    );
    return problemsOf(fragment);
  } catch (error) {
    if (error instanceof SbomError || error instanceof AgentError) return error.code;
    throw error;
  }
}

function problemsOf({ problems, evidence }: Fragment): readonly string[] {
  return [...problems.map(({ code }) => code), ...evidence.flatMap(({ problem }) => problem?.code ?? [])];
}

async function diffIdOf(open: () => Readable): Promise<string> {
  return digestOf(await buffer(open()));
}

function tarOf(...entries: readonly Buffer[]): () => Readable {
  return () => Readable.from([Buffer.concat([...entries, END_OF_ARCHIVE])]);
}

async function layerWith(name: string, content: Buffer): Promise<() => Readable> {
  const archive = pack();
  archive.entry({ name }, content);
  archive.finalize();
  const tar = await buffer(archive as unknown as Readable);
  return () => Readable.from([tar]);
}

describe('a layer that was made to do harm', () => {
  it('as a file that is a thousand times its compressed size is read, and never held', async () => {
    const length = 1024 * MIB;
    const zeros = Buffer.alloc(MIB);
    function* tar(): Generator<Buffer> {
      yield rawEntry({ name: 'zeros', size: length });
      for (let sent = 0; sent < length; sent += zeros.length) yield zeros;
      yield END_OF_ARCHIVE;
    }
    const packed = await buffer(Readable.from(tar(), { objectMode: false }).pipe(createGzip()));
    expect(packed.length).toBeLessThan(2 * MIB);
    expect(await endOf(() => Readable.from([packed]), `sha256:${'0'.repeat(64)}`)).toBe('layer_mismatch');
  });

  it('by links in circles, and names that climb, stays inside its root', async () => {
    const fragment = tarOf(
      rawEntry({ name: 'a', type: '2', linkname: 'b' }),
      rawEntry({ name: 'b', type: '2', linkname: 'a' }),
      rawEntry({ name: 'a/package.json' }),
      rawEntry({ name: '../../../etc/passwd' }),
      rawEntry({ name: 'out', type: '2', linkname: '/../../etc' }),
      rawEntry({ name: 'hard', type: '1', linkname: '../../../etc/shadow' }),
    );
    expect(await endOf(fragment)).toEqual(expect.arrayContaining(['link_broken', 'path_blocked']));
  });

  it.each([
    ['noise', Buffer.alloc(100_000, 'noise')],
    ['a header with a wrong sum', rawEntry({ name: 'x' }).fill(1, 148, 156)],
    ['an archive that is cut off', rawEntry({ name: 'x', size: 1000 })],
  ])('as %s is refused', async (_what, bytes) => {
    expect(await endOf(() => Readable.from([bytes]))).toBe('layer_corrupt');
  });

  it('costs no other layer anything, and leaves memory as it was', async () => {
    const good = await layerWith(
      'node_modules/ms/package.json',
      Buffer.from('{"name":"ms","version":"1.0.0"}'),
    );
    const before = process.memoryUsage().rss;
    for (let n = 0; n < 20; n++) {
      expect(await endOf(() => Readable.from([Buffer.alloc(8 * MIB, 'noise')]), '')).toBe('layer_corrupt');
      expect(await endOf(good)).toEqual([]);
    }
    expect(process.memoryUsage().rss - before).toBeLessThan(MAX_GROWTH_BYTES);
  });
});
