import { execFileSync } from 'node:child_process';
import { chmodSync, linkSync, mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import fc from 'fast-check';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { encodeFragment } from '../encode-fragment.ts';
import { blobOf, type SampleEntry, tarOf } from '../testing/archives.ts';
import { goProgram } from '../testing/programs.ts';
import { catalogBlob } from './catalog-blob.ts';
import { catalogFolder, catalogOwnFolder, catalogRoot } from './catalog-folder.ts';
import type { Examiner } from './read-file.ts';

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'layer-'));
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

/** Lays the entries of an archive into a folder, as a runtime unpacks them. */
function unpack(root: string, entries: readonly SampleEntry[]): void {
  for (const { name, type = 'file', linkname = '', content = '', mode } of entries) {
    const path = join(root, name);
    mkdirSync(dirname(path), { recursive: true });
    if (type === 'directory') mkdirSync(path, { recursive: true });
    if (type === 'symlink') symlinkSync(linkname, path);
    if (type === 'link') linkSync(join(root, linkname), path);
    if (type === 'file') writeFileSync(path, content);
    if (mode !== undefined) chmodSync(path, mode);
  }
}

const status = 'Package: adduser\nStatus: install ok installed\nVersion: 3.134\n';

describe('the fragment of a folder', () => {
  it('has the bytes that the fragment of the archive has, but for what the folder alone cannot tell', async () => {
    const modules = 'mod\texample.test/tool\tv1.0.0\n';
    const old = goProgram({ toolchain: 'go1.16.7', modules, form: 'pointers' });
    const entries: SampleEntry[] = [
      { name: 'bin', type: 'symlink', linkname: '/usr/bin' },
      { name: 'empty/folder', type: 'directory' },
      { name: 'etc/os-release', type: 'symlink', linkname: '../usr/lib/os-release' },
      { name: 'objects/status', content: status },
      { name: 'srv/node_modules/a/package.json', content: '{' },
      { name: 'usr/bin/new', content: goProgram({ toolchain: 'go1.22.3', modules }, 100_000), mode: 0o755 },
      { name: 'usr/bin/old', content: old, mode: 0o755 },
      { name: 'usr/lib/os-release', content: 'ID=debian\nVERSION_ID=12\n' },
      { name: 'var/lib/dpkg/status', type: 'link', linkname: 'objects/status' },
    ];
    unpack(folder, entries);
    const { fragment } = await catalogBlob(blobOf(await tarOf(entries)));
    const fromFolder = await catalogFolder({ layers: [folder], index: 0 });
    expect(fromFolder.opacity).toBe('chain');
    expect(await encodeFragment({ ...fromFolder, opacity: 'exact' })).toEqual(await encodeFragment(fragment));
  });

  it('has them whatever the files are called', async () => {
    const name = fc
      .string({ unit: 'grapheme', minLength: 1, maxLength: 20 })
      .filter((each) => !/[/\0]/.test(each) && !['.', '..'].includes(each) && !each.startsWith('.wh.'));
    await fc.assert(
      fc.asyncProperty(fc.uniqueArray(name), fc.uniqueArray(name), async (folders, files) => {
        const root = mkdtempSync(join(folder, 'run-'));
        const entries = folders.flatMap((each) =>
          files.map((file) => ({ name: `f${each}/${file}`, content: file })),
        );
        unpack(root, entries);
        const { fragment } = await catalogBlob(blobOf(await tarOf(entries)));
        expect(await catalogFolder({ layers: [root], index: 0 })).toEqual({
          ...fragment,
          opacity: fragment.files.length > 0 ? 'chain' : 'exact',
        });
      }),
      { numRuns: 30 },
    );
  });

  it('never leaves the folder through a link, nor waits for a FIFO', async () => {
    const secret = join(folder, 'outside');
    writeFileSync(secret, status);
    const layer = join(folder, 'layer');
    unpack(layer, [
      { name: 'var/lib/dpkg/status', type: 'symlink', linkname: secret },
      { name: 'opt', type: 'symlink', linkname: folder },
    ]);
    mkdirSync(join(layer, 'etc'));
    execFileSync('mkfifo', [join(layer, 'etc/os-release')]);
    await using server = createServer();
    await new Promise<void>((resolve) => server.listen(join(layer, 'socket'), resolve));
    expect(await catalogFolder({ layers: [layer], index: 0 })).toMatchObject({
      files: [],
      symlinks: [
        { path: 'opt', target: folder },
        { path: 'var/lib/dpkg/status', target: secret },
      ],
      others: ['etc/os-release', 'socket'],
      evidence: [],
    });
  });

  it('leaves out names that are not UTF-8, with all that is below them, and says so', async () => {
    mkdirSync(Buffer.concat([Buffer.from(`${folder}/`), Buffer.from([0xff])]));
    writeFileSync(Buffer.concat([Buffer.from(`${folder}/`), Buffer.from([0xff]), Buffer.from('/x')]), '');
    expect(await catalogFolder({ layers: [folder], index: 0 })).toMatchObject({
      files: [],
      problems: [{ code: 'name_not_utf8', path: '\uFFFD' }],
    });
  });

  it('is exact for a folder that has only files in its root, which no mark can hide', async () => {
    writeFileSync(join(folder, 'file'), '');
    expect(await catalogFolder({ layers: [folder], index: 0 })).toMatchObject({
      opacity: 'exact',
      files: ['file'],
    });
  });
});

describe('reading a folder', () => {
  it('fails if it is not there', async () => {
    const missing = join(folder, 'missing');
    await expect(catalogFolder({ layers: [missing], index: 0 })).rejects.toMatchObject({
      code: 'layer_unreadable',
      message: `cannot read the layer in ${missing}`,
    });
  });

  it('ends when the signal says so', async () => {
    const signal = AbortSignal.abort(new Error('enough'));
    await expect(catalogFolder({ layers: [folder], index: 0, signal })).rejects.toThrow('enough');
  });

  it('refuses to guess, without a container, whether a folder hides evidence of a lower layer', async () => {
    const layers = ['lower', 'upper'].map((each) => join(folder, each));
    unpack(layers[0] ?? '', [{ name: 'opt/node_modules/a/package.json', content: '{}' }]);
    unpack(layers[1] ?? '', [{ name: 'opt/node_modules/b/package.json', content: '{}' }]);
    await expect(catalogFolder({ layers, index: 1 })).rejects.toMatchObject({ code: 'opacity_unknown' });
  });

  it('has what lower layers hide looked into by the examiner too, as all that comes from images', async () => {
    const layers = ['lower', 'upper'].map((each) => join(folder, each));
    const program = goProgram({ toolchain: 'go1.22.3', modules: '' });
    unpack(layers[0] ?? '', [{ name: 'usr/bin/old', content: program, mode: 0o755 }]);
    unpack(layers[1] ?? '', [{ name: 'usr/bin/group', content: 'root' }]);
    const asked: string[] = [];
    const examinerThat =
      (finds: Awaited<ReturnType<Examiner>>): Examiner =>
      async ({ name }) => {
        asked.push(name);
        return finds;
      };
    const blind = await catalogFolder({ layers, index: 1, examiner: examinerThat(undefined) });
    expect(blind.files).toEqual(['usr/bin/group']);
    const seeing = catalogFolder({ layers, index: 1, examiner: examinerThat({ packages: [] }) });
    await expect(seeing).rejects.toMatchObject({ code: 'opacity_unknown' });
    expect(asked).toEqual(['executable', 'executable']);
  });

  it('does not ask where nothing of a lower layer counts', async () => {
    const layers = ['lower', 'upper'].map((each) => join(folder, each));
    unpack(layers[0] ?? '', [{ name: 'etc/passwd', content: 'root' }]);
    unpack(layers[1] ?? '', [{ name: 'etc/group', content: 'root' }]);
    expect(await catalogFolder({ layers, index: 1 })).toMatchObject({
      opacity: 'chain',
      files: ['etc/group'],
    });
  });
});

describe('the root of a running container', () => {
  it('is read as the one layer of which its whole image consists', async () => {
    const entries: SampleEntry[] = [
      { name: 'bin', type: 'symlink', linkname: '/usr/bin' },
      { name: 'empty/folder', type: 'directory' },
      { name: 'usr/lib/os-release', content: 'ID=debian\nVERSION_ID=12\n' },
      { name: 'var/lib/dpkg/status', content: status },
    ];
    unpack(folder, entries);
    const { fragment } = await catalogBlob(blobOf(await tarOf(entries)));
    expect(await catalogRoot(folder)).toEqual(fragment);
  });

  it('says nothing of the image where nothing is mounted', async () => {
    await expect(catalogRoot(folder)).rejects.toMatchObject({
      code: 'layer_unreadable',
      message: `the root of a container at ${folder} shows nothing`,
    });
  });

  it('is given up when the container ends before all of it was read', async () => {
    unpack(folder, [{ name: 'node_modules/ms/package.json', content: '{}' }]);
    const examiner: Examiner = async () => {
      rmSync(folder, { recursive: true });
      return undefined;
    };
    await expect(catalogRoot(folder, { examiner })).rejects.toThrow('the container ended while its root');
  });

  it('may lose and change anything while it is read', async () => {
    unpack(folder, [
      { name: 'a/node_modules/ms/package.json', content: '{}' },
      { name: 'z/node_modules/qs/package.json', content: '{}' },
    ]);
    const left = new Set(['a', 'z']);
    const examiner: Examiner = async () => {
      for (const name of left) rmSync(join(folder, name), { recursive: true });
      left.clear();
      return 'needs-whole';
    };
    const { evidence } = await catalogRoot(folder, { examiner });
    expect(evidence).toEqual([]);
  });
});

describe("a folder of one's own", () => {
  it('is read, also through a link, and also if it is empty', async () => {
    const root = join(folder, 'root');
    mkdirSync(root);
    symlinkSync('root', join(folder, 'link'));
    expect((await catalogOwnFolder(join(folder, 'link'))).totals.files).toBe(0);
    unpack(root, [{ name: 'var/lib/dpkg/status', content: status }]);
    const { evidence, opacity, problems } = await catalogOwnFolder(join(folder, 'link'));
    expect(evidence.map(({ path }) => path)).toEqual(['var/lib/dpkg/status']);
    expect({ opacity, problems }).toEqual({ opacity: 'exact', problems: [] });
  });

  it('fails if it is not there', async () => {
    await expect(catalogOwnFolder(join(folder, 'none'))).rejects.toMatchObject({ code: 'layer_unreadable' });
  });
});
