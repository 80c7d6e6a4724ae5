import { describe, expect, it } from 'vitest';
import type { Fragment } from '../fragment.ts';
import { catalogBlob } from '../layer/catalog-blob.ts';
import type { Package } from '../package.ts';
import { blobOf, type SampleEntry, tarOf } from '../testing/archives.ts';
import { fold } from './fold.ts';
import type { ImageContents } from './image-contents.ts';

/** What an image of these layers holds, each given by the entries of its archive. */
async function image(...layers: readonly SampleEntry[][]): Promise<ImageContents> {
  const fragments = layers.map(async (entries): Promise<Fragment> => {
    return (await catalogBlob(blobOf(await tarOf(entries)))).fragment;
  });
  return fold(await Promise.all(fragments));
}

function status(...packages: readonly string[]): SampleEntry {
  return { name: 'var/lib/dpkg/status', content: packages.map(stanza).join('\n') };
}

function stanza(each: string): string {
  const [name, version] = each.split(' ');
  return `Package: ${name}\nVersion: ${version}\nArchitecture: all\n`;
}

function npm(folder: string, name: string, version = '1.0.0'): SampleEntry {
  return { name: `${folder}/node_modules/${name}/package.json`, content: JSON.stringify({ name, version }) };
}

const release = (name: string, id: string): SampleEntry => ({ name, content: `ID=${id}\n` });
const link = (name: string, linkname: string): SampleEntry => ({ name, type: 'symlink', linkname });

function brief({ packages }: ImageContents): string[] {
  return packages.map(({ name, version, layer }) => `${name} ${version} since ${layer}`);
}

describe('the package database of an image', () => {
  it('is the topmost copy, with each package since the layer from which on it was listed', async () => {
    const contents = await image(
      [status('base 1', 'bash 5', 'curl 7')],
      [status('base 1', 'bash 6', 'curl 7')],
      [{ name: 'unrelated' }],
      [status('base 1', 'bash 6', 'zlib 1')],
    );
    expect(brief(contents)).toEqual(['base 1 since 0', 'bash 6 since 1', 'zlib 1 since 3']);
  });

  it('counts a package anew that was away in between', async () => {
    expect(brief(await image([status('curl 7')], [status('bash 5')], [status('curl 7')]))).toEqual([
      'curl 7 since 2',
    ]);
    const removed = { name: 'var/lib/dpkg/.wh.status' };
    expect(brief(await image([status('curl 7')], [removed], [status('curl 7')]))).toEqual(['curl 7 since 2']);
  });

  it('counts a package on that was there before and after a layer, whatever that did in between', async () => {
    const renewed = [{ name: 'var/lib/.wh..wh..opq' }, status('curl 7')];
    expect(brief(await image([status('curl 7')], renewed))).toEqual(['curl 7 since 0']);
  });

  it('is the sum of its parts in images without dpkg', async () => {
    const part = (each: string): SampleEntry => ({
      name: `var/lib/dpkg/status.d/${each}`,
      content: stanza(`${each} 1`),
    });
    const contents = await image(
      [part('base'), part('tzdata')],
      [part('openssl'), { name: 'var/lib/dpkg/status.d/.wh.tzdata' }],
    );
    expect(brief(contents)).toEqual(['base 1 since 0', 'openssl 1 since 1']);
  });

  it('is none where a link or a folder has taken its place', async () => {
    expect(brief(await image([status('a 1')], [link('var/lib/dpkg/status', 'other')]))).toEqual([]);
    expect(brief(await image([status('a 1')], [{ name: 'var/lib/dpkg/status/x' }]))).toEqual([]);
    expect(brief(await image([status('a 1')], [{ name: 'var/lib/dpkg/status', content: '' }]))).toEqual([]);
  });
});

describe('packages of an image', () => {
  it('are each there once, with all places', async () => {
    const { packages } = await image([npm('b', 'ms'), npm('a', 'ms')], [npm('c', 'ms'), npm('c', 'qs')]);
    expect(packages).toEqual([
      {
        type: 'npm',
        name: 'ms',
        version: '1.0.0',
        purl: 'pkg:npm/ms@1.0.0',
        layer: 0,
        locations: [
          { path: 'a/node_modules/ms/package.json', layer: 0, owned: false },
          { path: 'b/node_modules/ms/package.json', layer: 0, owned: false },
          { path: 'c/node_modules/ms/package.json', layer: 1, owned: false },
        ],
      },
      {
        type: 'npm',
        name: 'qs',
        version: '1.0.0',
        purl: 'pkg:npm/qs@1.0.0',
        layer: 1,
        locations: [{ path: 'c/node_modules/qs/package.json', layer: 1, owned: false }],
      },
    ]);
  });

  it('are gone with the folder that a whiteout, a file, a link or an opaque folder hides', async () => {
    const base = [npm('app', 'ms')];
    for (const upper of [
      { name: '.wh.app' },
      { name: 'app' },
      link('app', 'srv'),
      { name: 'app/node_modules/.wh..wh..opq' },
    ]) {
      expect(brief(await image(base, [upper])), upper.name).toEqual([]);
    }
  });

  it('stay in a folder that an upper layer adds to', async () => {
    const contents = await image([npm('app', 'ms')], [{ name: 'app/', type: 'directory' }, npm('app', 'qs')]);
    expect(brief(contents)).toEqual(['ms 1.0.0 since 0', 'qs 1.0.0 since 1']);
  });

  it('stay where they are if an upper layer puts a folder over a link to theirs, as overlayfs does', async () => {
    const contents = await image([npm('usr/lib', 'ms'), link('lib', 'usr/lib')], [npm('lib', 'qs')]);
    expect(contents.packages.map(({ locations }) => locations[0]?.path)).toEqual([
      'usr/lib/node_modules/ms/package.json',
      'lib/node_modules/qs/package.json',
    ]);
  });
});

describe('packages that no package URL can tell', () => {
  const CJK = '\u6f22'.repeat(1_000);

  it('are left out, and it is told of the file that names them', async () => {
    const long = { name: 'a/node_modules/x/package.json', content: `{"name":"${CJK}","version":"1"}` };
    const contents = await image([npm('a', 'ms')], [long]);
    expect(brief(contents)).toEqual(['ms 1.0.0 since 0']);
    expect(contents.problems).toEqual([
      {
        layer: 1,
        path: long.name,
        cataloger: 'npm',
        code: 'package_unnameable',
        message: 'a package is left out: its package URL would have more than 1200 bytes',
      },
    ]);
  });

  it('are told of once, where a file names many', async () => {
    const { problems } = await image([status(`${CJK} 1`, 'bash 5', `${CJK} 2`)]);
    expect(problems).toMatchObject([{ message: expect.stringMatching(/^2 packages are left out/) }]);
  });
});

describe('a package that one file calls unreleased and another does not', () => {
  const tool = { type: 'golang', name: 'example.test/tool', version: 'v0.0.0-2024' } as const;
  const fragmentOf = (first: Package, second: Package): Fragment => ({
    cataloger: 'v1',
    opacity: 'exact',
    files: ['a', 'b'],
    symlinks: [],
    others: [],
    emptyFolders: [],
    whiteouts: [],
    opaques: [],
    evidence: [
      { path: 'a', cataloger: 'go-binary', packages: [first] },
      { path: 'b', cataloger: 'go-binary', packages: [second] },
    ],
    owners: [],
    totals: { files: 2, bytes: 0 },
    problems: [],
  });

  it.each([
    ['first', { ...tool, unreleased: true } as const, tool],
    ['last', tool, { ...tool, unreleased: true } as const],
  ])('is held against advisories, be it %s', (_which, first, second) => {
    const { packages } = fold([fragmentOf(first, second)]);
    expect(packages).toHaveLength(1);
    expect(packages[0]).toMatchObject({ locations: [{ path: 'a' }, { path: 'b' }] });
    expect(packages[0]?.unreleased).toBeUndefined();
  });
});

describe('the operating system of an image', () => {
  it.each<[string, string | undefined, SampleEntry[][]]>([
    ['in /etc', 'etc', [[release('etc/os-release', 'etc'), release('usr/lib/os-release', 'usr')]]],
    ['in /usr/lib alone', 'usr', [[release('usr/lib/os-release', 'usr')]]],
    [
      'through a link',
      'usr',
      [[link('etc/os-release', '../usr/lib/os-release')], [release('usr/lib/os-release', 'usr')]],
    ],
    [
      'through an absolute link',
      'usr',
      [[link('etc/os-release', '/usr/lib/os-release'), release('usr/lib/os-release', 'usr')]],
    ],
    [
      'through links of folders',
      'usr',
      [
        [link('etc/os-release', '/lib/os-release'), link('lib', 'usr/lib')],
        [release('usr/lib/os-release', 'usr')],
      ],
    ],
    [
      'through a link that climbs above the root',
      'usr',
      [[link('etc/os-release', '../../../usr/lib/os-release'), release('usr/lib/os-release', 'usr')]],
    ],
    [
      'that an upper layer upgrades',
      'new',
      [[release('etc/os-release', 'old')], [release('etc/os-release', 'new')]],
    ],
    [
      'behind a dangling link',
      'usr',
      [[link('etc/os-release', 'nowhere'), release('usr/lib/os-release', 'usr')]],
    ],
    [
      'in links that go round',
      undefined,
      [[link('etc/os-release', '../usr/lib/os-release'), link('usr/lib/os-release', '/etc/os-release')]],
    ],
    ['nowhere', undefined, [[{ name: 'bin/tool' }]]],
  ])('is found %s', async (_where, id, layers) => {
    expect((await image(...layers)).os?.id).toBe(id);
  });

  it('goes into the package URLs of its packages', async () => {
    const contents = await image([status('a 1')], [release('etc/os-release', 'ubuntu')]);
    expect(contents.packages.map(({ purl }) => purl)).toEqual(['pkg:deb/ubuntu/a@1?arch=all&distro=ubuntu']);
  });
});

describe('problems of an image', () => {
  const broken = { name: 'app/node_modules/ms/package.json', content: '{' };

  it('are those of evidence that is seen, and of layers', async () => {
    const contents = await image([broken], [{ name: 'a/.wh.' }]);
    expect(contents.problems).toEqual([
      {
        layer: 0,
        path: broken.name,
        cataloger: 'npm',
        code: 'evidence_invalid',
        message: 'the manifest is not a JSON object',
      },
      { layer: 1, path: 'a/.wh.', code: 'whiteout_invalid' },
    ]);
  });

  it('are over when an upper layer repairs or removes what was broken', async () => {
    expect((await image([broken], [npm('app', 'ms')])).problems).toEqual([]);
    expect((await image([broken], [{ name: '.wh.app' }])).problems).toEqual([]);
  });
});

describe('an image without layers', () => {
  it('holds nothing', () => {
    expect(fold([])).toEqual({ os: undefined, packages: [], problems: [] });
  });
});
