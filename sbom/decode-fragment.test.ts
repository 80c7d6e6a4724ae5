import { promisify } from 'node:util';
import { zstdCompress, zstdCompressSync, zstdDecompress } from 'node:zlib';
import { describe, expect, it } from 'vitest';
import { decodeFragment } from './decode-fragment.ts';
import { encodeFragment } from './encode-fragment.ts';
import { type Fragment, MAX_PACKAGES } from './fragment.ts';
import { catalogBlob } from './layer/catalog-blob.ts';
import { blobOf, tarOf } from './testing/archives.ts';

async function sample(): Promise<Fragment> {
  const archive = await tarOf([
    { name: 'bin', type: 'symlink', linkname: 'usr/bin' },
    { name: 'dev/null', type: 'character-device', devmajor: 1, devminor: 3 },
    { name: 'etc/.wh.passwd' },
    { name: 'etc/os-release', content: 'ID=debian\nVERSION_ID=12\nPRETTY_NAME="Debian 12"\n' },
    { name: 'opt/app/.wh..wh..opq' },
    { name: 'node_modules/a/package.json', content: '{' },
    { name: 'tmp/', type: 'directory' },
    {
      name: 'var/lib/dpkg/status',
      content: 'Package: a\nVersion: 1\nArchitecture: all\n\nPackage: b\nVersion: 2\n',
    },
    { name: 'var/lib/dpkg/info/a:amd64.list', content: '/usr/bin/a\n/usr/bin/A\n' },
    { name: 'usr/bin/A', mode: 0o755 },
    { name: 'usr/bin/a', mode: 0o755 },
    { name: 'x/.wh.' },
  ]);
  return (await catalogBlob(blobOf(archive))).fragment;
}

/** The sample with one value of its JSON changed, as a liar would send it; undefined takes the value away. */
async function tampered(path: string, value: unknown): Promise<Buffer> {
  const json: unknown = JSON.parse(
    (await promisify(zstdDecompress)(await encodeFragment(await sample()))).toString(),
  );
  const keys = path.split('.');
  const last = keys.pop() ?? '';
  const holder = keys.reduce((object: unknown, key) => Reflect.get(Object(object), key), json);
  expect(Reflect.has(Object(holder), last), `the sample has ${path}`).toBe(true);
  Reflect.set(Object(holder), last, value);
  return promisify(zstdCompress)(JSON.stringify(json));
}

describe('a fragment', () => {
  it('comes back as it was sent, and is sent again with the same bytes', async () => {
    const fragment = await sample();
    const bytes = await encodeFragment(fragment);
    const decoded = await decodeFragment(bytes);
    expect(decoded).toEqual(fragment);
    expect(await encodeFragment(decoded)).toEqual(bytes);
  });

  it.each([
    ['of another format', 'format', 1],
    ['by nobody', 'cataloger', undefined],
    ['with an opacity of its own', 'opacity', 'perhaps'],
    ['without files', 'files', { length: 3 }],
    ['with a path out of the root', 'files.0', '../etc/shadow'],
    ['with an absolute path', 'files.0', '/etc/shadow'],
    ['with a path that has an empty name', 'files.0', 'a//b'],
    ['with an endless path', 'files.0', 'a'.repeat(5000)],
    ['with a bottomless path', 'files.0', `${'a/'.repeat(300)}a`],
    ['with a path cut in half a character', 'files.0', 'a\ud800'],
    ['with unsorted paths', 'files.0', 'z'],
    ['with a path that comes twice', 'files.1', 'etc/os-release'],
    ['with a path that is a file and a link', 'symlinks.0.0', 'etc/os-release'],
    ['with an entry below a file', 'others.0', 'etc/os-release/below'],
    ['with an opaque file', 'opaques.0', 'etc/os-release'],
    ['with an empty folder that is a file', 'emptyFolders.0', 'etc/os-release'],
    ['with a link that leads nowhere', 'symlinks.0', ['bin']],
    ['with evidence that is no file', 'evidence.2.path', 'yet/another'],
    ['with evidence of a cataloger that none is called', 'evidence.0.cataloger', '<script>'],
    ['with a package of an unknown type', 'evidence.2.packages.0.type', 'exe'],
    ['with a package that has no name', 'evidence.2.packages.0.name', ''],
    ['with packages out of order', 'evidence.2.packages.0.name', 'c'],
    ['with half a source package', 'evidence.2.packages.0.source', { name: 'a' }],
    ['with an operating system of two lines', 'evidence.0.os.id', 'a\nb'],
    ['with a package that owns no file', 'owners.0.files', 'usr/bin/a'],
    ['with a package that owns what is not there', 'owners.0.files.1', 'usr/bin/b'],
    ['with a package that owns a file twice', 'owners.0.files.0', 'usr/bin/a'],
    ['with an owner without a name', 'owners.0.name', ''],
    ['with an unknown problem', 'problems.0.code', 'bad_luck'],
    ['with a wrong count of files', 'totals.files', 1],
    ['with a negative size', 'totals.bytes', -1],
  ])('%s is refused', async (_what, path, value) => {
    await expect(decodeFragment(await tampered(path, value))).rejects.toMatchObject({
      code: 'fragment_invalid',
    });
  });

  it('is read though an earlier release tells nothing of owners', async () => {
    expect(await decodeFragment(await tampered('owners', undefined))).toMatchObject({ owners: [] });
  });

  it('says what was wrong with it', async () => {
    const bytes = await tampered('evidence.2.packages.1.version', 7);
    await expect(decodeFragment(bytes)).rejects.toMatchObject({
      cause: { message: 'fragment.evidence[2].packages[1].version is not a short, printable text' },
    });
  });

  it('is neither sent nor taken with more packages than an image may have', async () => {
    const named = (_: unknown, at: number) => ({
      type: 'deb' as const,
      name: `p${`${at}`.padStart(6, '0')}`,
      version: '1',
    });
    const fragment = await sample();
    const [first, ...rest] = fragment.evidence;
    const evidence = (count: number) =>
      first ? [{ ...first, packages: Array.from({ length: count }, named) }, ...rest] : [];
    const most = MAX_PACKAGES - rest.reduce((sum, { packages }) => sum + packages.length, 0);
    const fits = await encodeFragment({ ...fragment, evidence: evidence(most) });
    expect((await decodeFragment(fits)).evidence[0]?.packages).toHaveLength(most);
    const tooMany = { ...fragment, evidence: evidence(most + 1) };
    await expect(encodeFragment(tooMany)).rejects.toMatchObject({ code: 'fragment_too_large' });
    await expect(decodeFragment(await tampered('evidence', tooMany.evidence))).rejects.toMatchObject({
      code: 'fragment_invalid',
      cause: { message: `it names ${MAX_PACKAGES + 1} packages; the most is ${MAX_PACKAGES}` },
    });
  });

  it.each([
    ['nothing', Buffer.alloc(0)],
    ['text', Buffer.from('hello')],
    ['bytes that would grow without end', zstdCompressSync(Buffer.alloc(65 * 1024 * 1024))],
    ['more values than are taken apart', zstdCompressSync(Buffer.from(`[${'[],'.repeat(3_000_000)}[]]`))],
  ])('is not made from %s', async (_what, bytes) => {
    await expect(decodeFragment(bytes)).rejects.toMatchObject({ code: 'fragment_invalid' });
  });
});
