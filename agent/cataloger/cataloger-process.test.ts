import { randomBytes } from 'node:crypto';
import { mkdir, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { Readable } from 'node:stream';
import { gzipSync } from 'node:zlib';
import { noLog } from '@gatehouse/lib/log.ts';
import { catalogBlob, catalogFolder, type LayerBlob } from '@gatehouse/sbom';
import { pack } from 'tar-stream';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { CatalogerProcess } from './cataloger-process.ts';

let folder: string;
beforeEach(async () => {
  folder = await mkdtemp(path.join(tmpdir(), 'gatehouse-cataloger-'));
});
afterEach(() => rm(folder, { recursive: true, force: true }));

const files: Readonly<Record<string, string>> = {
  'etc/os-release': 'ID=debian\nVERSION_ID="12"\n',
  'var/lib/dpkg/status': 'Package: bash\nVersion: 5.2.15-2+b2\n',
  'srv/node_modules/ms/package.json': '{"name":"ms","version":"2.0.0"}',
  'srv/data': 'x'.repeat(3_000_000),
};

async function writeFiles(): Promise<string> {
  for (const [name, content] of Object.entries(files)) {
    await mkdir(path.dirname(path.join(folder, name)), { recursive: true });
    await writeFile(path.join(folder, name), content);
  }
  return folder;
}

/** A layer whose evidence is also a hard link of a file that was not kept, so that it has to be read twice. */
async function blobOf(): Promise<LayerBlob> {
  const archive = pack();
  for (const [name, content] of Object.entries(files)) archive.entry({ name }, content);
  archive.entry({ name: 'srv/plain' }, '{"name":"qs","version":"6.0.0"}');
  archive.entry({ name: 'srv/node_modules/qs/package.json', type: 'link', linkname: 'srv/plain' });
  archive.finalize();
  const tar = gzipSync(Buffer.concat(await Array.fromAsync(archive as AsyncIterable<Buffer>)));
  return { name: 'a layer', open: () => Readable.from([tar.subarray(0, 1000), tar.subarray(1000)]) };
}

/** The processes that read layers for this one. */
async function children(): Promise<readonly { readonly pid: string; readonly status: string }[]> {
  const found = [];
  for (const pid of (await readdir('/proc')).filter((name) => /^\d+$/.test(name))) {
    const status = await readFile(`/proc/${pid}/status`, 'utf8').catch(() => '');
    const command = await readFile(`/proc/${pid}/cmdline`, 'utf8').catch(() => '');
    const isOurs = status.includes(`\nPPid:\t${process.pid}\n`) && command.includes('cataloger/child.ts');
    if (isOurs) found.push({ pid, status });
  }
  return found;
}

describe('layers read by another process', () => {
  it('from folders are what they are in this one', async () => {
    await using cataloger = new CatalogerProcess(noLog);
    const options = { layers: [await writeFiles()], index: 0 };
    const fragment = await cataloger.catalogFolder(options);
    expect(fragment).toEqual(await catalogFolder(options));
    expect(fragment.evidence).toHaveLength(3);
  });

  it('from archives are what they are in this one, also where they are read twice', async () => {
    await using cataloger = new CatalogerProcess(noLog);
    const blob = await blobOf();
    const own = await catalogBlob(blob);
    const { fragment } = await cataloger.catalogBlob(blob, { diffId: own.diffId });
    expect(fragment).toEqual(own.fragment);
    expect(fragment.evidence).toHaveLength(4);
  });

  it('may be broken in any place, and the next one is read all the same', async () => {
    await using cataloger = new CatalogerProcess(noLog);
    const blob = await blobOf();
    const { diffId } = await catalogBlob(blob);
    const bytes = Buffer.concat(await Array.fromAsync(blob.open() as AsyncIterable<Buffer>));
    for (const cut of [0, 5, 1000, bytes.length - 4]) {
      const broken = { name: 'broken', open: () => Readable.from([bytes.subarray(0, cut)]) };
      await expect(cataloger.catalogBlob(broken, { diffId })).rejects.toMatchObject({
        code: expect.stringMatching(/^layer_/),
      });
    }
    const gone = {
      name: 'gone',
      open: () => new Readable({ read: () => undefined }).destroy(new Error('no')),
    };
    await expect(cataloger.catalogBlob(gone, { diffId })).rejects.toMatchObject({ code: 'layer_unreadable' });
    await expect(cataloger.catalogBlob(blob, { diffId: `sha256:${'0'.repeat(64)}` })).rejects.toMatchObject({
      code: 'layer_mismatch',
    });
    await cataloger.catalogBlob(blob, { diffId });
  });

  it('cost that process alone if they take too much memory or time', async () => {
    const blob = await blobOf();
    const { diffId } = await catalogBlob(blob);
    const slow = { name: 'slow', open: () => new Readable({ read: () => undefined }) };
    await using small = new CatalogerProcess(noLog, { memoryBytes: 1 });
    await expect(small.catalogBlob(slow, { diffId })).rejects.toMatchObject({
      code: 'cataloger_died',
      message: expect.stringContaining('memory'),
    });
    await using hasty = new CatalogerProcess(noLog, { layerMs: 1 });
    await expect(hasty.catalogBlob(slow, { diffId })).rejects.toMatchObject({
      code: 'cataloger_died',
      message: expect.stringContaining('1 ms'),
    });
    expect(await children()).toEqual([]);
  });

  it('are given up when the agent ends', async () => {
    await using cataloger = new CatalogerProcess(noLog);
    const ending = new AbortController();
    const { promise: opened, resolve } = Promise.withResolvers<void>();
    const slow = {
      name: 'slow',
      open: () => {
        resolve();
        return new Readable({ read: () => undefined });
      },
    };
    const reading = cataloger.catalogBlob(slow, { diffId: '', signal: ending.signal });
    await opened;
    ending.abort(new Error('the end'));
    await expect(reading).rejects.toThrow('the end');
  });
});

describe('the process that reads layers', () => {
  it('has no capability, and a user that owns nothing if this one is root', async () => {
    await using cataloger = new CatalogerProcess(noLog);
    await cataloger.catalogFolder({ layers: [await writeFiles()], index: 0 });
    const [{ status } = { status: '' }] = await children();
    expect(status).toMatch(/^CapEff:\t0{16}$/m);
    expect(status).toMatch(/^CapPrm:\t0{16}$/m);
    expect(status).not.toMatch(/^Uid:\t0\t/m);
  });

  it('goes with its owner', async () => {
    {
      await using cataloger = new CatalogerProcess(noLog);
      await cataloger.catalogFolder({ layers: [await writeFiles()], index: 0 });
      expect(await children()).toHaveLength(1);
    }
    expect(await children()).toEqual([]);
  });
});

describe('layers read at a share of the node', () => {
  const share = { processors: 8, bytesPerSecond: 10 * 1024 * 1024 };

  it('are what they are without, and take the time that their bytes need', async () => {
    const body = randomBytes(4 * 1024 * 1024);
    const archive = pack();
    archive.entry({ name: 'srv/data' }, body);
    archive.finalize();
    const tar = Buffer.concat(await Array.fromAsync(archive as AsyncIterable<Buffer>));
    const pieces = Array.from({ length: 64 }, (_, index) =>
      tar.subarray(index * 65_536, (index + 1) * 65_536),
    );
    const blob = { name: 'a layer', open: () => Readable.from([...pieces, tar.subarray(64 * 65_536)]) };
    const own = await catalogBlob(blob);
    await using cataloger = new CatalogerProcess(noLog, { share });
    const began = performance.now();
    const { fragment } = await cataloger.catalogBlob(blob, { diffId: own.diffId });
    // 4 MiB are due after 0.4 s; 0.2 s of that is credit.
    expect(performance.now() - began).toBeGreaterThan(150);
    expect(fragment).toEqual(own.fragment);
  });
});
