import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { buffer } from 'node:stream/consumers';
import { gzipSync } from 'node:zlib';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { tarSplitBlob, tarSplitOpaques } from './tar-split.ts';

let root: string;
beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), 'tar-split-'));
  mkdirSync(join(root, 'diff'));
});
afterEach(() => rmSync(root, { recursive: true, force: true }));

const bytes = (content: string): object => ({ type: 2, payload: Buffer.from(content).toString('base64') });
const file = (name: string, size?: number): object => ({ type: 1, name, size, payload: null });

/** A layer of which these entries and these files are kept. */
function layer(entries: readonly object[], files: Readonly<Record<string, string>> = {}) {
  const kept = join(root, 'tar-split.gz');
  writeFileSync(kept, gzipSync(entries.map((entry) => `${JSON.stringify(entry)}\n`).join('')));
  for (const [name, content] of Object.entries(files)) {
    mkdirSync(dirname(join(root, 'diff', name)), { recursive: true });
    writeFileSync(join(root, 'diff', name), content);
  }
  return { name: 'the layer', file: kept, folder: join(root, 'diff') };
}

const archiveOf = async (split: ReturnType<typeof layer>): Promise<string> =>
  (await buffer(tarSplitBlob(split).open())).toString('latin1');

describe('an archive from what is kept of it', () => {
  it('is the kept bytes with the content of files between them', async () => {
    const raw = Buffer.from('caf\xe9', 'latin1');
    const split = layer(
      [
        bytes('<'),
        file('./etc/a', 3),
        bytes('|'),
        file('../b', 2),
        { type: 1, name_raw: raw.toString('base64'), size: 1 },
        file('etc/.wh.gone'),
        bytes('>'),
        { type: 2, payload: '' },
      ],
      { 'etc/a': 'one', b: '22' },
    );
    writeFileSync(Buffer.concat([Buffer.from(join(root, 'diff/')), raw]), '!');
    expect(await archiveOf(split)).toBe('<one|22!>');
  });

  it('takes no file from outside of the layer', async () => {
    writeFileSync(join(root, 'secret'), 'key');
    const split = layer([file('up/secret', 3)]);
    symlinkSync('..', join(root, 'diff/up'));
    await expect(archiveOf(split)).rejects.toThrow("lacks 'up/secret': it stands behind a link");
    symlinkSync('../secret', join(root, 'diff/link'));
    await expect(archiveOf(layer([file('link', 3)]))).rejects.toMatchObject({ code: 'ELOOP' });
    await expect(archiveOf(layer([file('../../secret', 3)]))).rejects.toMatchObject({ code: 'ENOENT' });
  });

  it('is none where a file is shorter, gone or no file', async () => {
    await expect(archiveOf(layer([file('a', 3)], { a: 'no' }))).rejects.toThrow('it has 2 of 3 bytes');
    await expect(archiveOf(layer([file('b', 3)]))).rejects.toMatchObject({ code: 'ENOENT' });
    await expect(archiveOf(layer([file('c', 3)], { 'c/d': '' }))).rejects.toThrow('it is no file');
  });

  it.each([
    ['no gzip', Buffer.from('{"type":2}\n')],
    ['no JSON', gzipSync('{"type":')],
    ['another type', gzipSync('{"type":3}\n')],
    ['no size', gzipSync('{"type":1,"name":"a","size":-1}\n')],
    ['an endless line', gzipSync(Buffer.alloc(20 * 1024 * 1024, 0x20))],
  ])('is none if there is %s', async (_what, content) => {
    const split = layer([]);
    writeFileSync(split.file, content);
    await expect(archiveOf(split)).rejects.toMatchObject({ code: 'layer_unreadable' });
  });

  it('is none if nothing is kept', async () => {
    const split = { ...layer([]), file: join(root, 'absent') };
    await expect(archiveOf(split)).rejects.toMatchObject({ code: 'layer_unreadable' });
  });
});

describe('opaque folders by what is kept of an archive', () => {
  const opaques = async (entries: readonly string[], files: Readonly<Record<string, string>>) =>
    tarSplitOpaques(
      layer(
        entries.map((name) => file(name)),
        files,
      ),
    );

  it('are those with the mark of the specification', async () => {
    const entries = [
      './',
      './srv/',
      './srv/cache/',
      './srv/cache/.wh..wh..opq',
      './srv/cache/.wh.x',
      './opt/a',
    ];
    expect(await opaques(entries, { 'srv/cache/new': '', 'opt/a': '' })).toEqual(new Set(['srv/cache']));
    expect(await opaques(['.wh..wh..opq', 'a'], { a: '' })).toEqual(new Set(['']));
    expect(await opaques(['a'], { a: '' })).toEqual(new Set());
  });

  it('cannot be told where a marked folder was taken away and made anew', async () => {
    const files = { 'a/b/new': '' };
    expect(await opaques(['a/', 'a/b/', 'a/b/.wh..wh..opq'], files)).toEqual(new Set(['a/b']));
    expect(await opaques(['a/b/.wh..wh..opq', 'a/b', 'a/b/'], files)).toBeUndefined();
    expect(await opaques(['a/b/.wh..wh..opq', 'a/.wh.b', 'a/b/new'], files)).toBeUndefined();
    expect(await opaques(['a/b/.wh..wh..opq', '.wh.a', 'a/b/new'], files)).toBeUndefined();
  });

  it('cannot be told where a mark stands behind a link, or in a header', async () => {
    symlinkSync('real', join(root, 'diff/link'));
    expect(await opaques(['real/x', 'link/.wh..wh..opq'], { 'real/x': '' })).toBeUndefined();
    const header = bytes('30 SCHILY.xattr.trusted.overlay.opaque=y\n');
    expect(await tarSplitOpaques(layer([header, file('a/')]))).toBeUndefined();
  });
});
