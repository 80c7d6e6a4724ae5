import { mkdtemp, readdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { Readable } from 'node:stream';
import { setImmediate as turn } from 'node:timers/promises';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { ExportedImage } from './docker-export.ts';

/** A Docker whose archive of any image has no end; and how much of it was taken. */
function endless() {
  const docker = {
    taken: 0,
    getImage: () => ({ get: async () => Readable.from(zeros(), { objectMode: false }) }),
  };
  async function* zeros() {
    for (;;) {
      docker.taken += 65_536;
      yield Buffer.alloc(65_536);
      await turn();
    }
  }
  return docker;
}
const read = (stream: Readable): Promise<unknown> => Array.fromAsync(stream as AsyncIterable<Buffer>);

let folder: string;
beforeEach(async () => {
  folder = await mkdtemp(path.join(tmpdir(), 'gatehouse-export-'));
  vi.stubEnv('TMPDIR', folder);
});
afterEach(async () => {
  vi.unstubAllEnvs();
  await rm(folder, { recursive: true, force: true });
});

describe('an image that Docker exports', () => {
  it('takes no more of the disk than a bound, and leaves nothing there', async () => {
    const docker = endless();
    {
      const { signal } = new AbortController();
      await using image = new ExportedImage(docker as never, 'sha256:x', { signal, most: 1_000_000 });
      await expect(read(image.layer(0))).rejects.toThrow('more than 1000000 bytes');
    }
    expect(docker.taken).toBeLessThan(2_000_000);
    expect(await readdir(folder)).toEqual([]);
  });

  it('is given up when the agent ends', async () => {
    const docker = endless();
    const ending = new AbortController();
    await using image = new ExportedImage(docker as never, 'sha256:x', { signal: ending.signal });
    const reading = read(image.layer(0));
    ending.abort(new Error('the end'));
    await expect(reading).rejects.toThrow();
  });
});
