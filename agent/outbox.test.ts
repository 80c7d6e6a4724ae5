import { spawn } from 'node:child_process';
import { createHash } from 'node:crypto';
import { cp, mkdir, mkdtemp, readdir, readFile, rm, truncate, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { noLog } from '@gatehouse/lib/log.ts';
import { CATALOGER_VERSION } from '@gatehouse/sbom';
import fc from 'fast-check';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { type Cataloged, Outbox } from './outbox.ts';
import { digestOf } from './testing/node.ts';

const MAX_BYTES = 10_000_000;
let folder: string;
beforeEach(async () => {
  folder = await mkdtemp(path.join(tmpdir(), 'gatehouse-outbox-'));
});
afterEach(() => rm(folder, { recursive: true, force: true }));

const openOutbox = (maxBytes = MAX_BYTES): Promise<Outbox> => Outbox.open(folder, maxBytes, noLog);
const files = async (): Promise<readonly string[]> =>
  (await readdir(path.join(folder, CATALOGER_VERSION))).sort();
const pathOf = (name: string): string => path.join(folder, CATALOGER_VERSION, name);

function cataloged(word: string, size = 100, opacity: Cataloged['opacity'] = 'exact'): Cataloged {
  const content = Buffer.alloc(size, word);
  const contentDigest = `sha256:${createHash('sha256').update(content).digest('hex')}`;
  const upload = { diffId: digestOf(word), chainId: digestOf(`chain of ${word}`), content, contentDigest };
  return { upload: { ...upload, catalogerVersion: CATALOGER_VERSION }, opacity };
}

describe('a fragment that waits', () => {
  it('is there after a restart as it was, and no more once it is delivered', async () => {
    const layer = cataloged('a');
    const first = await openOutbox();
    expect(await first.put(layer)).toBe(true);
    const second = await openOutbox();
    expect(await second.read(layer.upload)).toEqual(layer);
    expect(second.bytes).toBe(first.bytes);
    await second.delivered(layer.upload);
    expect(await second.read(layer.upload)).toBeUndefined();
    expect(await files()).toEqual([]);
    expect([second.bytes, second.isEmpty]).toEqual([0, true]);
    // For as long as this agent runs there is no need to read it again.
    expect(second.has(layer.upload)).toBe(true);
    expect((await openOutbox()).has(layer.upload)).toBe(false);
  });

  it('is one for all places of its layer, unless it holds in its own only', async () => {
    const outbox = await openOutbox();
    const [exact, chained] = [cataloged('a'), cataloged('b', 100, 'chain')];
    await outbox.put(exact);
    await outbox.put(chained);
    const elsewhere = digestOf('another chain');
    expect(outbox.has({ ...exact.upload, chainId: elsewhere })).toBe(true);
    expect((await outbox.read({ ...exact.upload, chainId: elsewhere }))?.upload.chainId).toBe(elsewhere);
    expect(outbox.has({ ...chained.upload, chainId: elsewhere })).toBe(false);
    expect(await outbox.read(chained.upload)).toEqual(chained);
  });

  it('finds no room beyond the bound, and is let in when others are gone', async () => {
    const outbox = await openOutbox(1_000);
    expect(await outbox.put(cataloged('a', 600))).toBe(true);
    expect(await outbox.put(cataloged('a', 600))).toBe(true);
    expect(await outbox.put(cataloged('b', 600))).toBe(false);
    expect(await files()).toHaveLength(1);
    await outbox.drop(cataloged('a').upload);
    expect(await outbox.put(cataloged('b', 600))).toBe(true);
    await outbox.clear();
    expect([await files(), outbox.bytes]).toEqual([[], 0]);
  });

  it('is not kept where the disk fails, and nothing is left of it', async () => {
    const outbox = await openOutbox();
    await rm(path.join(folder, CATALOGER_VERSION), { recursive: true });
    expect(await outbox.put(cataloged('a'))).toBe(false);
    expect([outbox.has(cataloged('a').upload), outbox.bytes]).toEqual([false, 0]);
  });

  it('of no layer that there could be is refused, whatever it would be called', async () => {
    const outbox = await openOutbox();
    const { upload } = cataloged('a');
    for (const diffId of ['sha256:../../etc', '', `sha512:${'a'.repeat(64)}`]) {
      expect(await outbox.put({ upload: { ...upload, diffId }, opacity: 'exact' })).toBe(false);
    }
    expect(await files()).toEqual([]);
  });
});

describe('the folder of an outbox', () => {
  it('loses what other versions of the catalogers wrote, and nothing else', async () => {
    await mkdir(path.join(folder, '1-0123456789ab'));
    await writeFile(path.join(folder, '1-0123456789ab', 'old'), 'x');
    await writeFile(path.join(folder, 'notes'), 'x');
    await openOutbox();
    expect((await readdir(folder)).sort()).toEqual([CATALOGER_VERSION, 'notes'].sort());
  });

  it('that cannot be made is an error that says which', async () => {
    await writeFile(path.join(folder, 'file'), '');
    const opening = Outbox.open(path.join(folder, 'file', 'outbox'), MAX_BYTES, noLog);
    await expect(opening).rejects.toMatchObject({
      code: 'outbox_unusable',
      message: expect.stringContaining(path.join(folder, 'file', 'outbox')),
    });
  });
});

/** What a crash or somebody else may do to the files, each at a random place. */
const damage = fc.record({
  kind: fc.constantFrom('cut', 'flip', 'swap', 'unfinished', 'grow'),
  file: fc.nat(5),
  at: fc.nat(150),
});

describe('a crash', () => {
  it('never has something else read back than what was put', async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(damage, { maxLength: 6 }), async (damages) => {
        await rm(path.join(folder, CATALOGER_VERSION), { recursive: true, force: true });
        const layers = ['a', 'b', 'c', 'd'].map((word) => cataloged(word));
        const before = await openOutbox();
        for (const layer of layers) await before.put(layer);
        const harmed = new Set<string>();
        for (const { kind, file, at } of damages) {
          const names = (await files()).filter((name) => !name.endsWith('.unfinished'));
          const name = names[file % names.length] ?? '';
          const bytes = await readFile(pathOf(name));
          if (kind === 'unfinished') await writeFile(`${pathOf(name)}.unfinished`, bytes.subarray(0, at));
          else harmed.add(name);
          if (kind === 'cut') await truncate(pathOf(name), at % bytes.length || 0);
          if (kind === 'grow') await writeFile(pathOf(name), Buffer.concat([bytes, Buffer.from('x')]));
          if (kind === 'flip' && bytes.length > 0) {
            bytes[at % bytes.length] = (bytes[at % bytes.length] ?? 0) ^ 1;
            await writeFile(pathOf(name), bytes);
          }
          if (kind === 'swap') await cp(pathOf(names[(file + 1) % names.length] ?? ''), pathOf(name));
        }
        const after = await openOutbox();
        for (const layer of layers) {
          const [name = ''] = (await files()).filter((each) => each.startsWith(layer.upload.diffId.slice(7)));
          const found = await after.read(layer.upload);
          if (!harmed.has(name)) expect(found).toEqual(layer);
          // Two changes may cancel each other out.
          else if (found !== undefined) expect(found).toEqual(layer);
          if (found === undefined) expect(after.has(layer.upload)).toBe(false);
        }
        expect((await files()).filter((name) => name.endsWith('.unfinished'))).toEqual([]);
        const left = await Promise.all(
          (await files()).map(async (name) => (await readFile(pathOf(name))).length),
        );
        expect(after.bytes).toBe(left.reduce((sum, size) => sum + size, 0));
      }),
      { numRuns: 60 },
    );
  });

  it('loses nothing that was put, wherever it comes', async () => {
    await fc.assert(
      fc.asyncProperty(fc.integer({ min: 1, max: 40 }), async (lines) => {
        await rm(path.join(folder, CATALOGER_VERSION), { recursive: true, force: true });
        const said = await putUntilKilled(lines);
        expect(said).toBeGreaterThanOrEqual(lines);
        const after = await openOutbox();
        for (let n = 0; n < said; n++) {
          expect((await after.read(cataloged(`${n}`).upload))?.upload.content).toEqual(
            Buffer.alloc(20_000, `${n}`),
          );
        }
        expect((await files()).filter((name) => name.endsWith('.unfinished'))).toEqual([]);
      }),
      { numRuns: 6 },
    );
  });
});

/** A process that puts one fragment after another and says so. */
const PUTTING = `
  import { createHash } from 'node:crypto';
  import { writeSync } from 'node:fs';
  import { Outbox } from '${path.join(import.meta.dirname, 'outbox.ts')}';
  const digestOf = (word) => 'sha256:' + createHash('sha256').update(word).digest('hex');
  const outbox = await Outbox.open(process.argv[1], 2 ** 30, {});
  for (let n = 0; ; n++) {
    const upload = { diffId: digestOf(String(n)), chainId: digestOf('chain of ' + n), content: Buffer.alloc(20_000, String(n)) };
    await outbox.put({ upload, opacity: 'exact' });
    writeSync(1, n + '\\n');
  }`;

/** Has it killed once it has said so many lines; gives how many it had said by then. */
async function putUntilKilled(lines: number): Promise<number> {
  const child = spawn(process.execPath, ['--input-type=module', '--eval', PUTTING, folder], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  let said = 0;
  for await (const bytes of child.stdout) {
    said += String(bytes).split('\n').length - 1;
    if (said >= lines) child.kill('SIGKILL');
  }
  return said;
}
