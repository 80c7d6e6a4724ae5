import { mkdtemp, rm, truncate, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { readLines } from './lines.ts';

let folder: string;
let path: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'gatehouse-lines-'));
  path = join(folder, 'lines');
});
afterAll(() => rm(folder, { recursive: true, force: true }));

async function read(content: string | Buffer, most = 1_000_000): Promise<string[]> {
  await writeFile(path, content);
  return Array.fromAsync(readLines(path, most));
}

describe('the lines of a file', () => {
  it('are together what the file holds, and end at each line feed and nowhere else', async () => {
    const part = fc.constantFrom('\n', '\r\n', '\r', '\u2028', '\u0085', 'é', '😀', 'x');
    const content = fc.array(part, { maxLength: 20 }).map((parts) => parts.join(''));
    await fc.assert(
      fc.asyncProperty(content, async (text) => {
        const lines = await read(text);
        expect(lines.join('')).toBe(text);
        expect(lines.filter((line) => line.indexOf('\n') !== line.length - 1)).toEqual(
          text === '' || text.endsWith('\n') ? [] : [lines.at(-1)],
        );
      }),
    );
  });

  it('may be longer than what is read at a time, and characters may lie across', async () => {
    const lines = Array.from({ length: 9 }, (_, n) => `${'x'.repeat(n)}${'😀'.repeat(50_000)}\n`);
    expect(await read(lines.join(''))).toEqual(lines);
  });

  it('are no longer than they may be; those before come all the same', async () => {
    expect(await read('123\n123', 3)).toEqual(['123\n', '123']);
    for (const content of ['123\n1234\n', '123\n1234']) {
      await writeFile(path, content);
      const lines: string[] = [];
      const reading = async () => {
        for await (const line of readLines(path, 3)) lines.push(line);
      };
      await expect(reading()).rejects.toThrow('a line is longer than 3 characters');
      expect(lines).toEqual(['123\n']);
    }
  });

  it('that are far too long are not taken into memory as a whole', async () => {
    await writeFile(path, '');
    await truncate(path, 2 ** 30);
    await expect(Array.fromAsync(readLines(path, 1_000))).rejects.toThrow('longer than 1000');
  });

  it('of no file are an error', async () => {
    await expect(Array.fromAsync(readLines(join(folder, 'absent'), 1))).rejects.toThrow('ENOENT');
  });
});
