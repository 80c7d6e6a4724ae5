import { mkdir, mkdtemp, readdir, readFile, rm, stat, truncate, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { VerdictChange, VerdictPosition } from '@gatehouse/core-client';
import { createLog, type Log, noLog } from '@gatehouse/lib/log.ts';
import fc from 'fast-check';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { VerdictDisk } from './verdict-disk.ts';

let folder: string;
let journal: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'gatehouse-disk-'));
  journal = join(folder, 'verdicts.journal');
});
afterEach(() => rm(folder, { recursive: true, force: true }));

interface Batch {
  readonly changes: readonly VerdictChange[];
  readonly position: VerdictPosition;
}

const verdictOf = (critical: number): string => JSON.stringify({ state: 'ready', fixable: { critical } });
const change = (n: number, verdict?: string): VerdictChange => ({
  image: `sha256:${n}`,
  aliases: verdict === undefined ? [] : [`app:${n}`],
  verdict,
});
const at = (revision: number): VerdictPosition => ({ store: 's', revision });
const three: readonly Batch[] = [
  { changes: [change(1, verdictOf(0)), change(2, verdictOf(0))], position: at(2) },
  { changes: [change(1), change(3, JSON.stringify({ note: 'né\u2028\n' }))], position: at(4) },
  { changes: [change(2, verdictOf(7))], position: at(5) },
];

async function write(batches: readonly Batch[]): Promise<void> {
  const disk = await VerdictDisk.open(folder, noLog);
  for (const { changes, position } of batches) disk.append(changes, position, [], 1_000_000);
  await disk.flush();
}

/** All that is on the disk, after a start of the process. */
async function read(log: Log = noLog) {
  const changes: VerdictChange[] = [];
  const disk = await VerdictDisk.open(folder, log);
  const loaded = await disk.load((batch) => changes.push(...batch));
  return { changes, position: loaded?.position, torn: loaded?.torn };
}

const changesOf = (batches: readonly Batch[]) => batches.flatMap(({ changes }) => changes);

/** What is logged, line by line. */
function logInMemory() {
  const lines: { level: string; revision?: number; err: { message: string } }[] = [];
  return { lines, log: createLog('webhook', 'warn', { write: (line) => lines.push(JSON.parse(line)) }) };
}

describe('verdicts on disk', () => {
  it('are none at first, which is nothing to speak of', async () => {
    const { log, lines } = logInMemory();
    expect(await read(log)).toEqual({ changes: [], position: undefined, torn: undefined });
    expect(lines).toEqual([]);
  });

  it('come back as they were written, with how far they go', async () => {
    const verdict = fc.option(
      fc.dictionary(fc.string(), fc.jsonValue()).map((value) => JSON.parse(JSON.stringify(value))),
      { nil: undefined },
    );
    const anyChange = fc
      .record({ image: fc.string(), aliases: fc.array(fc.string()), verdict })
      .map(({ image, aliases, verdict }) => ({
        image,
        aliases: verdict ? aliases : [],
        verdict: verdict && JSON.stringify(verdict),
      }));
    const position = fc.record({ store: fc.string(), revision: fc.maxSafeNat() });
    const batches = fc.array(fc.record({ changes: fc.array(anyChange, { maxLength: 4 }), position }), {
      minLength: 1,
      maxLength: 4,
    });
    await fc.assert(
      fc.asyncProperty(batches, async (written) => {
        await rm(journal, { force: true });
        await write(written);
        const { changes, position, torn } = await read();
        expect(changes).toEqual(changesOf(written));
        expect({ position, torn }).toEqual({ position: written.at(-1)?.position, torn: false });
      }),
    );
  });

  it('come back as they were alive, after they were written anew and added to', async () => {
    await write(three);
    const disk = await VerdictDisk.open(folder, noLog);
    const alive = Array.from({ length: 2_500 }, (_, n) => ({
      digest: `sha256:${n}`,
      aliases: [`app:${n}`],
      verdict: verdictOf(n),
    }));
    disk.rewrite(alive, at(9));
    disk.append([change(1)], at(10), [], alive.length);
    await disk.flush();
    const { changes, position, torn } = await read();
    expect(changes).toEqual([...alive.map((_, n) => change(n, verdictOf(n))), change(1)]);
    expect({ position, torn }).toEqual({ position: at(10), torn: false });
    expect(await readdir(folder)).toEqual(['verdicts.journal']);
  });

  it('are written anew once a slow disk is back, and what waits for it is bounded', async () => {
    const disk = await VerdictDisk.open(folder, noLog);
    const large = JSON.stringify({ state: 'ready', note: 'x'.repeat(1024 * 1024) });
    // Nothing is written before this turn of the event loop ends.
    for (let n = 1; n <= 80; n++) disk.append([change(n, large)], at(n), [], 1_000_000);
    await disk.flush();
    const before = await read();
    expect(before.changes.length).toBeGreaterThanOrEqual(64);
    expect(before.changes.length).toBeLessThan(70);
    expect(before).toMatchObject({ position: at(before.changes.length), torn: false });

    const alive = [{ digest: 'sha256:81', aliases: ['app:81'], verdict: large }];
    disk.append([change(81, large)], at(81), alive, 1_000_000);
    disk.append([change(82)], at(82), [], 1_000_000);
    await disk.flush();
    expect(await read()).toEqual({ changes: [change(81, large), change(82)], position: at(82), torn: false });
  });

  it('are for their owner only', async () => {
    const below = join(folder, 'a', 'b');
    await VerdictDisk.open(below, noLog);
    expect((await stat(below)).mode & 0o777).toBe(0o700);
    expect((await stat(join(below, 'verdicts.journal'))).mode & 0o777).toBe(0o600);
  });
});

describe('verdicts on a disk that failed', () => {
  it('count up to the last whole batch, wherever writing was cut off, and the log tells of the rest', async () => {
    await write(three);
    const whole = await readFile(journal);
    const ends = [...whole.toString('latin1').matchAll(/\{"position".*\n/g)].map(
      (match) => match.index + match[0].length,
    );
    expect(ends).toHaveLength(three.length);
    for (let length = 0; length <= whole.length; length++) {
      await writeFile(journal, whole.subarray(0, length));
      const { log, lines } = logInMemory();
      const batches = three.slice(0, ends.filter((end) => end <= length).length);
      const { changes, position, torn } = await read(log);
      expect(changes).toEqual(changesOf(batches));
      expect(position).toEqual(batches.at(-1)?.position);
      const hasMore = length !== 0 && !ends.includes(length);
      expect(lines).toHaveLength(hasMore ? 1 : 0);
      if (position) expect(torn).toBe(hasMore);
    }
  });

  it.each([
    ['nothing', ''],
    ['no JSON', '{"image":"sha256:4","aliases'],
    ['zero bytes', '\0'.repeat(4096)],
    ['a number', '4'],
    ['a truth', 'true'],
    ['null', 'null'],
    ['a text', '"position"'],
    ['a list', '[]'],
    ['an empty object', '{}'],
    ['a change of a kind that comes later', '{"waived":"sha256:4","until":"2030-01-01"}'],
    ['an image that is no text', '{"image":4,"aliases":[],"verdict":{}}'],
    ['aliases that are no list', '{"image":"sha256:4","aliases":"app","verdict":{}}'],
    ['an alias that is no text', '{"image":"sha256:4","aliases":[4],"verdict":{}}'],
    ['a verdict that is none', '{"image":"sha256:4","aliases":[],"verdict":null}'],
    ['an image gone that is no text', '{"gone":4}'],
    ['a position without anything', '{"position":{}}'],
    ['a position that is null', '{"position":null}'],
    ['a position that is text', '{"position":{"store":"s","revision":"9"}}'],
    ['a position before the first', '{"position":{"store":"s","revision":-1}}'],
    ['a position between two', '{"position":{"store":"s","revision":1.5}}'],
    ['a position of no store', '{"position":{"revision":9}}'],
  ])('count up to a line that holds %s, and the log names the line', async (_what, line) => {
    await write(three.slice(0, 2));
    const good = await readFile(journal, 'utf8');
    await writeFile(journal, `${good}${line}\n${good}`);
    const { log, lines } = logInMemory();
    expect(await read(log)).toEqual({ changes: changesOf(three.slice(0, 2)), position: at(4), torn: true });
    expect(lines).toEqual([
      expect.objectContaining({
        level: 'warn',
        revision: 4,
        err: expect.objectContaining({
          code: 'cache_unusable',
          message: expect.stringMatching(/verdicts\.journal breaks off after line 6: /),
        }),
      }),
    ]);
  });

  it('count up to a line that has no end, which is not taken into memory', async () => {
    await write(three);
    await truncate(journal, 2 ** 30);
    expect(await read()).toEqual({ changes: changesOf(three), position: at(5), torn: true });
  });

  it('are none, and the log says so, if they cannot be read', async () => {
    const { log, lines } = logInMemory();
    const disk = await VerdictDisk.open(folder, log);
    await rm(journal);
    await mkdir(journal);
    expect(await disk.load(() => undefined)).toBeUndefined();
    expect(lines).toHaveLength(1);
  });

  it('are written no more after the first failure, which the log tells once', async () => {
    const { log, lines } = logInMemory();
    const disk = await VerdictDisk.open(folder, log);
    await rm(journal);
    await mkdir(journal);
    disk.append([change(1)], at(1), [], 1);
    disk.rewrite([], at(2));
    await disk.flush();
    disk.append([change(1)], at(3), [], 1);
    await disk.flush();
    expect(lines).toEqual([
      expect.objectContaining({
        level: 'error',
        err: expect.objectContaining({ code: 'cache_unusable', message: expect.stringContaining('EISDIR') }),
      }),
    ]);
    expect(await readdir(journal)).toEqual([]);
  });

  it('are refused with a reason where there can be no folder', async () => {
    await writeFile(join(folder, 'file'), '');
    await expect(VerdictDisk.open(join(folder, 'file'), noLog)).rejects.toMatchObject({
      code: 'cache_unusable',
    });
  });
});
