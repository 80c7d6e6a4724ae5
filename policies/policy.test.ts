import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { pack } from 'tar-stream';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { readBundle } from './bundle.ts';
import { Policy } from './policy.ts';

const defaultBundle = new URL('default.tar.gz', import.meta.url).pathname;
let folder: string;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'gatehouse-bundle-'));
});
afterAll(() => rm(folder, { recursive: true }));

async function bundleOf(files: Record<string, string | Buffer>): Promise<string> {
  const archive = pack();
  for (const [name, content] of Object.entries(files)) archive.entry({ name }, content);
  archive.finalize();
  const path = join(folder, 'bundle.tar.gz');
  await writeFile(path, gzipSync(Buffer.concat(await Array.fromAsync(archive as AsyncIterable<Buffer>))));
  return path;
}

describe('reading a bundle', () => {
  it('says which file it could not read', async () => {
    await expect(readBundle(join(folder, 'absent.tar.gz'))).rejects.toMatchObject({
      code: 'bundle_unreadable',
      message: expect.stringContaining('absent.tar.gz'),
    });
  });

  it('refuses what is no gzipped tar', async () => {
    const path = join(folder, 'text');
    await writeFile(path, 'package x');
    await expect(readBundle(path)).rejects.toMatchObject({ code: 'bundle_unreadable' });
  });

  it('refuses a bundle of Rego alone, and says how to build one', async () => {
    const path = await bundleOf({ 'decision.rego': 'package gatehouse.admission' });
    await expect(readBundle(path)).rejects.toMatchObject({
      code: 'bundle_invalid',
      hint: expect.stringContaining('opa build -t wasm'),
    });
  });

  it('refuses data that is not an object', async () => {
    const path = await bundleOf({ 'policy.wasm': 'x', 'data.json': '[' });
    await expect(readBundle(path)).rejects.toMatchObject({ code: 'bundle_invalid' });
  });

  it('refuses an archive that unpacks to more than the limit', async () => {
    const path = await bundleOf({ 'policy.wasm': Buffer.alloc(65 * 1024 * 1024) });
    await expect(readBundle(path)).rejects.toMatchObject({ code: 'bundle_unreadable' });
  });
});

describe('a policy', () => {
  it('refuses a program that is no WebAssembly', async () => {
    await expect(Policy.load({ program: Buffer.from('text'), data: {} })).rejects.toMatchObject({
      code: 'bundle_invalid',
    });
  });

  it('refuses WebAssembly that is not of OPA', async () => {
    const emptyModule = Buffer.from([0, 0x61, 0x73, 0x6d, 1, 0, 0, 0]);
    await expect(Policy.load({ program: emptyModule, data: {} })).rejects.toMatchObject({
      code: 'bundle_invalid',
    });
  });

  it('judges on after an input that it could not take', async () => {
    const policy = await Policy.load(await readBundle(defaultBundle));
    expect(() => policy.judge('{"images":[],"pad":"\\ud800"}')).toThrow(
      expect.objectContaining({ code: 'policy_failed' }),
    );
    expect(policy.judge('{"images":[],"unknown":"deny"}')).toEqual({ deny: [], warn: [] });
  });

  it('keeps nothing of one input for the next', async () => {
    const policy = await Policy.load(await readBundle(defaultBundle));
    const unknown =
      '{"images":[{"container":"a","position":"init","reference":"x","verdict":null}],"unknown":"deny"}';
    expect(policy.judge(unknown).deny).toHaveLength(1);
    expect(policy.judge('{"images":[],"unknown":"deny"}').deny).toHaveLength(0);
    expect(policy.judge(unknown).deny).toHaveLength(1);
  });

  it('takes an input of megabytes and judges small ones as before', async () => {
    const policy = await Policy.load(await readBundle(defaultBundle));
    const large = JSON.stringify({
      images: [],
      unknown: 'deny',
      request: { object: { pad: 'x'.repeat(6_000_000) } },
    });
    expect(policy.judge(large)).toEqual({ deny: [], warn: [] });
    expect(policy.judge('{"images":[],"unknown":"deny"}')).toEqual({ deny: [], warn: [] });
  });

  it('is what the committed Rego compiles to, with its source beside the program', async () => {
    expect((await readBundle(defaultBundle)).program.length).toBeGreaterThan(100_000);
    expect(await readFile(new URL('default/decision.rego', import.meta.url), 'utf8')).toContain(
      'package gatehouse.admission',
    );
  });
});
