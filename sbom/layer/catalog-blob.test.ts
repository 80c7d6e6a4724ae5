import { Readable } from 'node:stream';
import { gzipSync, zstdCompressSync } from 'node:zlib';
import { describe, expect, it } from 'vitest';
import type { Fragment } from '../fragment.ts';
import { blobOf, type SampleEntry, tarOf } from '../testing/archives.ts';
import { goProgram } from '../testing/programs.ts';
import { END_OF_ARCHIVE, paxRecord, rawEntry, sealHeader } from '../testing/raw-tar.ts';
import { catalogBlob } from './catalog-blob.ts';

const status = 'Package: adduser\nStatus: install ok installed\nVersion: 3.134\nArchitecture: all\n';
const manifest = '{"name":"left-pad","version":"1.3.0"}';

async function catalog(entries: readonly SampleEntry[]): Promise<Fragment> {
  return (await catalogBlob(blobOf(await tarOf(entries)))).fragment;
}

describe('the fragment of an archive', () => {
  it('has every leaf, with the packages that evidence files name', async () => {
    const fragment = await catalog([
      { name: './etc/passwd', content: 'root' },
      { name: '/var/lib/dpkg/status', content: status },
      { name: 'app/node_modules/left-pad/package.json', content: manifest },
      { name: 'bin', type: 'symlink', linkname: 'usr/bin' },
      { name: 'dev/console', type: 'character-device', devmajor: 5, devminor: 1 },
      { name: 'tmp/', type: 'directory' },
    ]);
    expect(fragment).toMatchObject({
      opacity: 'exact',
      files: ['app/node_modules/left-pad/package.json', 'etc/passwd', 'var/lib/dpkg/status'],
      symlinks: [{ path: 'bin', target: 'usr/bin' }],
      others: ['dev/console'],
      emptyFolders: ['tmp'],
      evidence: [
        {
          path: 'app/node_modules/left-pad/package.json',
          cataloger: 'npm',
          packages: [{ type: 'npm', name: 'left-pad', version: '1.3.0' }],
        },
        { path: 'var/lib/dpkg/status', cataloger: 'dpkg', packages: [{ name: 'adduser', version: '3.134' }] },
      ],
      totals: { files: 3, bytes: status.length + manifest.length + 4 },
      problems: [],
    });
  });

  it('is the same for plain, gzip and zstd archives, which have one diff id', async () => {
    const archive = await tarOf([{ name: 'var/lib/dpkg/status', content: status }]);
    const plain = await catalogBlob(blobOf(archive));
    expect(await catalogBlob(blobOf(gzipSync(archive)))).toEqual(plain);
    expect(await catalogBlob(blobOf(zstdCompressSync(archive)))).toEqual(plain);
    expect(plain.diffId).toMatch(/^sha256:[0-9a-f]{64}$/);
  });

  it('tells whiteouts and opaque folders from entries', async () => {
    const fragment = await catalog([
      { name: 'etc/.wh.passwd' },
      { name: 'opt/app/.wh..wh..opq' },
      { name: 'opt/app/new' },
      { name: 'only/.wh.gone' },
    ]);
    expect(fragment).toMatchObject({
      files: ['opt/app/new'],
      whiteouts: ['etc/passwd', 'only/gone'],
      opaques: ['opt/app'],
      emptyFolders: ['etc', 'only'],
    });
  });

  it('keeps the layer’s own entry beside a whiteout of its name, in either order', async () => {
    for (const names of [
      ['a/.wh.x', 'a/x'],
      ['a/x', 'a/.wh.x'],
    ]) {
      expect(await catalog(names.map((name) => ({ name })))).toMatchObject({ files: ['a/x'], whiteouts: [] });
    }
  });

  it('knows the marks of overlayfs itself, which runtimes unpack as they are', async () => {
    const fragment = await catalog([
      { name: 'etc/passwd', type: 'character-device', devmajor: 0, devminor: 0 },
      { name: 'opt/', type: 'directory', pax: { 'SCHILY.xattr.trusted.overlay.opaque': 'y' } },
      { name: 'srv/', type: 'directory', pax: { 'SCHILY.xattr.trusted.overlay.redirect': '/etc' } },
    ]);
    expect(fragment).toMatchObject({
      whiteouts: ['etc/passwd'],
      opaques: ['opt'],
      problems: [{ code: 'overlay_attribute', path: 'srv' }],
    });
  });

  it('lets a later entry replace an earlier one, with all that was in it', async () => {
    const fragment = await catalog([
      { name: 'a/b/c' },
      { name: 'a/b/.wh..wh..opq' },
      { name: 'a/b', type: 'symlink', linkname: 'd' },
      { name: 'e' },
      { name: 'e/', type: 'directory' },
      { name: 'e/f' },
    ]);
    expect(fragment).toMatchObject({
      files: ['e/f'],
      symlinks: [{ path: 'a/b', target: 'd' }],
      opaques: [],
    });
  });

  it('follows links of the archive itself, inside the root, to where entries come to lie', async () => {
    const fragment = await catalog([
      { name: 'lib', type: 'symlink', linkname: '/usr/lib' },
      { name: 'lib/os-release', content: 'ID=debian\n' },
      { name: 'out', type: 'symlink', linkname: '../../../srv' },
      { name: 'out/x' },
      { name: '../../etc/../y' },
    ]);
    expect(fragment.files).toEqual(['srv/x', 'usr/lib/os-release', 'y']);
    expect(fragment.evidence).toMatchObject([{ path: 'usr/lib/os-release', os: { id: 'debian' } }]);
  });

  it('leaves out what no runtime could unpack, and says so', async () => {
    const fragment = await catalog([
      { name: 'file' },
      { name: 'file/below' },
      { name: 'round', type: 'symlink', linkname: 'round' },
      { name: 'round/x' },
      { name: 'hard', type: 'link', linkname: 'missing' },
      { name: 'a/.wh.' },
      { name: `${'d/'.repeat(256)}deep` },
      { name: 'n'.repeat(4097) },
    ]);
    expect(fragment.files).toEqual(['file']);
    expect(fragment.problems).toMatchObject([
      { code: 'whiteout_invalid', path: 'a/.wh.' },
      { code: 'path_too_long' },
      { code: 'path_blocked', path: 'file/below' },
      { code: 'link_broken', path: 'hard' },
      { code: 'path_too_long' },
      { code: 'path_blocked', path: 'round/x' },
    ]);
  });

  it('leaves out names that are not UTF-8, and says so', async () => {
    const archive = rawEntry({ name: 'caf?' });
    archive.writeUInt8(0xe9, 3);
    sealHeader(archive);
    const { fragment } = await catalogBlob(blobOf(archive));
    expect(fragment).toMatchObject({ files: [], problems: [{ code: 'name_not_utf8', path: 'caf\uFFFD' }] });
  });

  it('counts a hard link as a file, and its content as evidence under both names', async () => {
    const blob = blobOf(
      await tarOf([
        { name: 'etc/os-release', content: 'ID=debian\nVERSION_ID="12"\n' },
        { name: 'usr/lib/os-release', type: 'link', linkname: 'etc/os-release' },
      ]),
    );
    const { fragment } = await catalogBlob(blob);
    expect(fragment).toMatchObject({
      files: ['etc/os-release', 'usr/lib/os-release'],
      evidence: [{ os: { id: 'debian' } }, { os: { id: 'debian', versionId: '12' } }],
      totals: { files: 2, bytes: 52 },
    });
    expect(blob.opened).toBe(1);
  });

  it('opens the archive again for evidence that is a hard link to something else, as ostree makes them', async () => {
    const blob = blobOf(
      await tarOf([
        { name: 'sysroot/ostree/objects/ab/cdef.file', content: status },
        { name: 'var/lib/dpkg/status', type: 'link', linkname: 'sysroot/ostree/objects/ab/cdef.file' },
      ]),
    );
    const { fragment } = await catalogBlob(blob);
    expect(fragment.evidence).toMatchObject([
      { path: 'var/lib/dpkg/status', packages: [{ name: 'adduser' }] },
    ]);
    expect(blob.opened).toBe(2);
  });

  it('reads Go programs in passing, and those before Go 1.18 in a second pass', async () => {
    const info = { toolchain: 'go1.22.3', modules: 'mod\texample.test/tool\tv1.0.0\n' };
    const packages = [
      { type: 'golang', name: 'example.test/tool', version: 'v1.0.0' },
      { type: 'golang', name: 'stdlib', version: '1.22.3' },
    ];
    for (const [form, opened] of [
      ['inline', 1],
      ['pointers', 2],
    ] as const) {
      const content = goProgram({ ...info, form }, 3_000_000);
      const blob = blobOf(await tarOf([{ name: 'bin/tool', mode: 0o755, content }]));
      const { fragment } = await catalogBlob(blob);
      expect(fragment.evidence).toMatchObject([{ path: 'bin/tool', cataloger: 'executable', packages }]);
      expect(blob.opened).toBe(opened);
    }
  });

  it('does not read a sparse file as if its parts were its content', async () => {
    const records = paxRecord('GNU.sparse.major', '1') + paxRecord('GNU.sparse.minor', '0');
    const archive = Buffer.concat([
      rawEntry({ type: 'x' }, records),
      rawEntry({ name: 'var/lib/dpkg/status' }, status),
      END_OF_ARCHIVE,
    ]);
    const { fragment } = await catalogBlob(blobOf(archive));
    expect(fragment.evidence).toMatchObject([{ packages: [], problem: { code: 'evidence_sparse' } }]);
  });

  it('records evidence that cannot be parsed, for it hides what is below all the same', async () => {
    const fragment = await catalog([{ name: 'node_modules/x/package.json', content: '{' }]);
    expect(fragment.evidence).toEqual([
      expect.objectContaining({
        path: 'node_modules/x/package.json',
        packages: [],
        problem: { code: 'evidence_invalid', message: 'the manifest is not a JSON object' },
      }),
    ]);
  });
});

describe('reading an archive', () => {
  it('fails if the content has not the diff id that was expected', async () => {
    const blob = blobOf(await tarOf([{ name: 'a' }]));
    const diffId = `sha256:${'0'.repeat(64)}`;
    await expect(catalogBlob(blob, { diffId })).rejects.toMatchObject({ code: 'layer_mismatch' });
  });

  it.each([
    ['text', Buffer.from('this is a web page, not a layer'.repeat(40))],
    ['a cut archive', rawEntry({ size: 5000 }, 'short')],
    ['a cut compression', gzipSync(rawEntry({})).subarray(0, 40)],
  ])('fails for %s', async (_what, bytes) => {
    await expect(catalogBlob(blobOf(bytes))).rejects.toMatchObject({ code: 'layer_corrupt' });
  });

  it('fails if the source fails, and says which layer it was', async () => {
    const open = (): Readable =>
      new Readable({
        read() {
          this.destroy(new Error('the connection was lost'));
        },
      });
    await expect(catalogBlob({ name: 'sha256:abc', open })).rejects.toMatchObject({
      code: 'layer_unreadable',
      message: 'cannot read the layer sha256:abc',
    });
  });

  it('ends when the signal says so, also while nothing comes', async () => {
    const ending = new AbortController();
    const blob = {
      name: 'silent',
      open: () => new Readable({ read: () => ending.abort(new Error('enough')) }),
    };
    await expect(catalogBlob(blob, { signal: ending.signal })).rejects.toThrow('enough');
  });

  it('takes an empty archive for an empty layer', async () => {
    expect(await catalog([])).toMatchObject({ files: [], totals: { files: 0, bytes: 0 } });
  });
});
