import { createReadStream } from 'node:fs';
import { mkdtemp, rm, truncate, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { Readable } from 'node:stream';
import { buffer } from 'node:stream/consumers';
import { createGzip, deflateRawSync } from 'node:zlib';
import { noLog } from '@gatehouse/lib/log.ts';
import { type Fragment, SbomError } from '@gatehouse/sbom';
import { pack } from 'tar-stream';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { ZipFile } from 'yazl';
import { CatalogerProcess } from '../../agent/cataloger/cataloger-process.ts';
import { AgentError } from '../../agent/errors.ts';
import { END_OF_ARCHIVE, rawEntry } from '../../sbom/testing/raw-tar.ts';
import { runOk } from '../harness/process.ts';
import { digestOf } from './layers.ts';

const MIB = 1024 * 1024;
/** What all of the corpus may add to this process: buffers on their way, not contents. */
const MAX_GROWTH_BYTES = 256 * MIB;

let folder: string;
let cataloger: CatalogerProcess;

beforeAll(async () => {
  folder = await mkdtemp(path.join(tmpdir(), 'gatehouse-hostile-'));
  cataloger = new CatalogerProcess(noLog);
});

afterAll(async () => {
  await cataloger?.[Symbol.asyncDispose]();
  await rm(folder, { recursive: true, force: true });
});

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

async function zipOf(name: string, content: Buffer): Promise<Buffer> {
  const zip = new ZipFile();
  zip.addBuffer(content, name);
  zip.end();
  return buffer(zip.outputStream as unknown as Readable);
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

  it('as more entries than any layer has is given up', async () => {
    function* tar(): Generator<Buffer> {
      for (let n = 0; n < 600_000; n += 1000) {
        yield Buffer.concat(Array.from({ length: 1000 }, (_, at) => rawEntry({ name: `f/${n + at}` })));
      }
      yield END_OF_ARCHIVE;
    }
    expect(await endOf(() => Readable.from(tar(), { objectMode: false }), '')).toBe('layer_too_large');
  });

  it('as a file of 4 GB that is a hole is told, if it would be evidence', async () => {
    await writeFile(path.join(folder, 'package.json'), '{"name":"ms","version":"1.0.0"}');
    await truncate(path.join(folder, 'package.json'), 4096 * MIB);
    const archive = path.join(folder, 'sparse.tar');
    const rename = '--transform=s,^,node_modules/ms/,';
    await runOk(['tar', '--sparse', '--format=posix', rename, '-cf', archive, '-C', folder, 'package.json']);
    expect(await endOf(() => createReadStream(archive))).toEqual(['evidence_sparse']);
  });

  it('as archives in archives, many levels deep, is told', async () => {
    let jar = await zipOf('META-INF/MANIFEST.MF', Buffer.from('Manifest-Version: 1.0\n'));
    for (let level = 0; level < 200; level++) jar = await zipOf(`level-${level}.jar`, jar);
    expect(await endOf(await layerWith('app.jar', jar))).toEqual(['evidence_too_large']);
  });

  it('as an archive of a file that unpacks to gigabytes is told', async () => {
    const bomb = deflateRawSync(Buffer.alloc(64 * MIB));
    const jar = await zipOf('META-INF/MANIFEST.MF', Buffer.alloc(64 * MIB));
    expect(jar.length).toBeLessThan(2 * bomb.length);
    expect(await endOf(await layerWith('bomb.jar', jar))).toEqual([expect.stringMatching(/^evidence_/)]);
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
