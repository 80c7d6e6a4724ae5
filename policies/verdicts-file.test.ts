import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { parseVerdict } from './verdict.ts';
import { formatVerdictLine, readVerdictsFile } from './verdicts-file.ts';

const digest = `sha256:${'a'.repeat(64)}`;
let folder: string;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'gatehouse-verdicts-'));
});
afterAll(() => rm(folder, { recursive: true }));

async function read(content: string) {
  const path = join(folder, 'verdicts.jsonl');
  await writeFile(path, content);
  return Array.fromAsync(readVerdictsFile(path));
}

describe('a verdicts file', () => {
  it('gives back what was written to it', async () => {
    const os = { id: 'of two\u2028lines' };
    const verdict = JSON.stringify(parseVerdict({ state: 'ready', os }));
    const image = { digest, aliases: ['app:1'], verdict };
    expect(await read(formatVerdictLine(image).repeat(2))).toEqual([image, image]);
  });

  it('may leave out all but the image and the state of its verdict', async () => {
    const [image] = await read(`{"image":"${digest}","verdict":{"state":"ready"}}\n\n`);
    expect(image?.aliases).toEqual([]);
    expect(JSON.parse(image?.verdict ?? '')).toMatchObject({
      counts: { critical: 0 },
      findings: [],
      revision: 0,
    });
  });

  it.each([
    ['is no JSON', '{"image":'],
    ['has no image', '{"verdict":{"state":"ready"}}'],
    ['has a tag for the image', '{"image":"app:1","verdict":{"state":"ready"}}'],
    ['has a verdict without a state', `{"image":"${digest}","verdict":{}}`],
    [
      'has a count that is no number',
      `{"image":"${digest}","verdict":{"state":"ready","counts":{"high":"2"}}}`,
    ],
  ])('with a line that %s names the file and the line', async (_what, line) => {
    const good = `{"image":"${digest}","verdict":{"state":"ready"}}`;
    await expect(read(`${good}\n${line}\n`)).rejects.toMatchObject({
      code: 'verdicts_unreadable',
      message: expect.stringMatching(/line 2 of .*verdicts\.jsonl/),
    });
  });

  it('that does not exist is an error, not an empty file', async () => {
    await expect(Array.fromAsync(readVerdictsFile(join(folder, 'absent')))).rejects.toMatchObject({
      code: 'verdicts_unreadable',
    });
  });
});
