import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import {
  type ContainerRoot,
  catalogBlob,
  catalogFolder,
  encodeFragment,
  type Fragment,
  fold,
} from '@gatehouse/sbom';
import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { blobOf, packWithMarks, toOciLayer } from './overlay-archives.ts';
import { apply, type Change, OverlayBench } from './overlay-stack.ts';

/**
 * Names that meet each other often: each can be a folder, a link or a file, and the last two make a file evidence of a
 * Python package, at any depth.
 */
const name = fc.constantFrom('a', 'b', 'lib', 'x.egg-info', 'PKG-INFO');
const path = fc.array(name, { minLength: 1, maxLength: 4 }).map((names) => names.join('/'));
const EVIDENCE = /(^|\/)x\.egg-info(\/PKG-INFO)?$/;

const change: fc.Arbitrary<Change> = fc.oneof(
  {
    weight: 4,
    arbitrary: fc.record({ what: fc.constant('write' as const), path, content: fc.constant('') }),
  },
  { weight: 1, arbitrary: fc.record({ what: fc.constant('link' as const), path, target: name }) },
  { weight: 1, arbitrary: fc.record({ what: fc.constant('make' as const), path }) },
  { weight: 2, arbitrary: fc.record({ what: fc.constant('remove' as const), path }) },
  { weight: 2, arbitrary: fc.record({ what: fc.constant('renew' as const), path }) },
);

/** Every file names a package of its own, so that a package tells which of all files it was read from. */
function withPackages(steps: readonly (readonly Change[])[]): Change[][] {
  return steps.map((changes, layer) =>
    changes.map((each, index) =>
      each.what === 'write' ? { ...each, content: `Name: p${layer}-${index}\nVersion: 1\n` } : each,
    ),
  );
}

/** A bottom layer with evidence everywhere, so that there is something to hide. */
const folders = ['a', 'b', 'lib', 'a/a', 'a/b', 'a/lib', 'b/a', 'a/b/lib'];
const base = ['', ...folders.map((each) => `${each}/`)].map(
  (each): Change => ({ what: 'write', path: `${each}x.egg-info`, content: '' }),
);

const changes = fc.array(change, { maxLength: 15 });
const steps = fc.array(changes, { maxLength: 5 }).map((upper) => withPackages([base, ...upper]));

/** Some three seconds a property; 1500 runs found nothing more. */
const RUNS = { numRuns: 80 };

let bench: OverlayBench;
beforeAll(() => {
  bench = new OverlayBench();
});
afterAll(() => bench[Symbol.dispose]());

/** What a plain walk of a mounted image finds: evidence files, each with the package it names. */
function walk(root: string, folder = ''): string[] {
  return readdirSync(join(root, folder), { withFileTypes: true })
    .flatMap((entry) => {
      const found = join(folder, entry.name);
      if (entry.isDirectory()) return walk(root, found);
      if (!entry.isFile() || !EVIDENCE.test(found)) return [];
      const named = /Name: (.*)/.exec(readFileSync(join(root, found), 'utf8'));
      return [`${found} ${named?.[1]}`];
    })
    .sort();
}

function walkLayers(layers: readonly string[]): string[] {
  using mounted = bench.mount(layers);
  return walk(mounted.path);
}

function foldedLocations(fragments: readonly Fragment[]): string[] {
  const { packages } = fold(fragments);
  return packages
    .flatMap(({ name: named, locations }) => locations.map((each) => `${each.path} ${named}`))
    .sort();
}

async function readArchive(layer: string): Promise<Fragment> {
  const archive = packWithMarks(layer);
  const { fragment } = await catalogBlob(blobOf(await toOciLayer(archive)));
  const marked = await catalogBlob(blobOf(archive));
  expect(marked.fragment, 'marks of the kernel and of the specification say the same').toEqual(fragment);
  return fragment;
}

/** As an agent reads a layer: the folder if it says enough, else the archive. */
async function readLayer(
  layers: readonly string[],
  index: number,
  container?: ContainerRoot,
): Promise<{ readonly fragment: Fragment; readonly from: 'folder' | 'archive' }> {
  try {
    return { fragment: await catalogFolder({ layers, index, container }), from: 'folder' };
  } catch (error) {
    expect(error).toMatchObject({ code: 'opacity_unknown' });
    return { fragment: await readArchive(layers[index] ?? ''), from: 'archive' };
  }
}

describe('the layers of an image', () => {
  it('fold from their archives to what the kernel shows of them', async () => {
    await fc.assert(
      fc.asyncProperty(steps, async (made) => {
        const layers = bench.build(made);
        const fragments = await Promise.all(layers.map(readArchive));
        expect(foldedLocations(fragments)).toEqual(walkLayers(layers));
      }),
      RUNS,
    );
  });

  it('fold from their folders to the same, under whatever layers, with a container that writes as it likes', async () => {
    const reads = { folder: 0, archive: 0, exact: 0, opaque: 0 };
    await fc.assert(
      fc.asyncProperty(steps, changes, async (made, drift) => {
        const layers = bench.build(made);
        const upper = bench.folder();
        using mounted = bench.mount(layers, upper);
        for (const each of drift) apply(mounted.path, each);
        const fragments: Fragment[] = [];
        for (const [index, layer] of layers.entries()) {
          const { fragment, from } = await readLayer(layers, index, { merged: mounted.path, upper });
          fragments.push(fragment);
          reads[from] += 1;
          // What is read above these layers must hold under any other ones on top, such as none.
          expect(foldedLocations(fragments)).toEqual(walkLayers(layers.slice(0, index + 1)));
          reads.opaque += from === 'folder' ? fragment.opaques.length : 0;
          if (from === 'archive' || fragment.opacity === 'chain') continue;
          reads.exact += 1;
          expect(await encodeFragment(fragment)).toEqual(await encodeFragment(await readArchive(layer)));
        }
      }),
      RUNS,
    );
    expect(reads.folder, JSON.stringify(reads)).toBeGreaterThan(reads.archive);
    expect(Math.min(reads.exact, reads.opaque), JSON.stringify(reads)).toBeGreaterThan(0);
  });

  it('fold from their folders without a container too, where no folder needs a witness', async () => {
    const reads = { folder: 0, archive: 0 };
    await fc.assert(
      fc.asyncProperty(steps, async (made) => {
        const layers = bench.build(made);
        const found = await Promise.all(layers.map((_, index) => readLayer(layers, index)));
        for (const { from } of found) reads[from] += 1;
        expect(foldedLocations(found.map(({ fragment }) => fragment))).toEqual(walkLayers(layers));
      }),
      RUNS,
    );
    expect(Math.min(reads.folder, reads.archive), JSON.stringify(reads)).toBeGreaterThan(0);
  });
});

const write = (each: string): Change => ({ what: 'write', path: each, content: 'Name: x\nVersion: 1\n' });
const remove = (each: string): Change => ({ what: 'remove', path: each });
const renew = (each: string): Change => ({ what: 'renew', path: each });
const link = (each: string): Change => ({ what: 'link', path: each, target: 'elsewhere' });

describe('a folder of a layer, read with a container as witness', () => {
  const other = 'a/other.egg-info';

  it.each<{ is: string; layers: Change[][]; drift?: Change[]; opacity: string; opaques: string[] }>([
    {
      is: 'clear if something below shows through it',
      layers: [[write('a/x.egg-info')], [write(other)]],
      opacity: 'exact',
      opaques: [],
    },
    {
      is: 'opaque if nothing else could hide what is below',
      layers: [[write('a/x.egg-info')], [renew('a'), write(other)]],
      opacity: 'exact',
      opaques: ['a'],
    },
    {
      is: 'opaque in these layers if it was made again with all names that it had',
      layers: [[write('a/b/x.egg-info')], [renew('a'), write('a/b/other.egg-info')]],
      opacity: 'chain',
      opaques: ['a/b'],
    },
    {
      is: 'opaque in these layers if a layer in between hides what is below',
      layers: [[write('a/b/x.egg-info')], [renew('a'), write('a/c')], [write('a/b/other.egg-info')]],
      opacity: 'chain',
      opaques: ['a/b'],
    },
    {
      is: 'opaque also if the container has added to it',
      layers: [[write('a/x.egg-info')], [renew('a'), write(other)]],
      drift: [write('a/drift')],
      opacity: 'exact',
      opaques: ['a'],
    },
    {
      is: 'not said to be either if it is new',
      layers: [[write('b')], [write('a/x.egg-info')]],
      opacity: 'chain',
      opaques: [],
    },
    {
      is: 'new if a file was there',
      layers: [[write('a/x.egg-info')], [remove('a'), write('a')], [remove('a'), write(other)]],
      opacity: 'chain',
      opaques: [],
    },
    {
      is: 'not opaque because of its own whiteouts',
      layers: [[write('a/x.egg-info')], [remove('a/x.egg-info'), write(other)]],
      opacity: 'chain',
      opaques: [],
    },
    {
      is: 'not opaque because of whiteouts below',
      layers: [[write('a/x.egg-info')], [remove('a/x.egg-info')], [write(other)]],
      opacity: 'chain',
      opaques: [],
    },
    {
      is: 'let be if only plain files below depend on it',
      layers: [[write('a/plain')], [write(other)], [remove('a/plain')]],
      opacity: 'chain',
      opaques: [],
    },
  ])('is $is', async ({ layers: made, drift = [], opacity, opaques }) => {
    const layers = bench.build(made);
    const upper = bench.folder();
    using mounted = bench.mount(layers, upper);
    for (const each of drift) apply(mounted.path, each);
    const index = made.findLastIndex((step) => step.some(({ what }) => what === 'write'));
    const fragment = await catalogFolder({ layers, index, container: { merged: mounted.path, upper } });
    expect(fragment).toMatchObject({ opacity, opaques });
  });

  it.each<{ by: string; layers: Change[][]; drift?: Change[] }>([
    {
      by: 'an upper layer that takes the folder away',
      layers: [[write('a/x.egg-info')], [renew('a'), write(other)], [remove('a')]],
    },
    {
      by: 'an upper layer that hides the same entry',
      layers: [[write('a/x.egg-info')], [write(other)], [remove('a/x.egg-info')]],
    },
    {
      by: 'an upper layer that is opaque itself',
      layers: [[write('a/x.egg-info')], [write(other)], [renew('a'), write('a/new')]],
    },
    {
      by: 'a container that took the entry away',
      layers: [[write('a/x.egg-info')], [write(other)]],
      drift: [remove('a/x.egg-info')],
    },
    {
      by: 'a container that took the folder away and made it again',
      layers: [[write('a/x.egg-info')], [write(other)]],
      drift: [renew('a')],
    },
    {
      by: 'an upper layer that takes away a link in the place of evidence',
      layers: [[link('usr/lib/os-release')], [write('usr/lib/other')], [remove('usr/lib/os-release')]],
    },
    {
      by: 'an upper layer that takes away a folder which two lower ones have filled',
      layers: [[write('a/d/x.egg-info')], [write('a/d/plain')], [write(other)], [remove('a/d')]],
    },
  ])('cannot be judged if the witness is silenced by $by', async ({ layers: made, drift = [] }) => {
    const layers = bench.build(made);
    const upper = bench.folder();
    using mounted = bench.mount(layers, upper);
    for (const each of drift) apply(mounted.path, each);
    const container = { merged: mounted.path, upper };
    const index = made.findIndex((step) => step.some(({ path: each }) => each.includes('other')));
    await expect(catalogFolder({ layers, index, container })).rejects.toMatchObject({
      code: 'opacity_unknown',
    });
  });

  it('is not judged by what is mounted over it', async () => {
    const layers = bench.build([[write('a/x.egg-info')], [write(other)]]);
    using mounted = bench.mount(layers);
    using _volume = bench.mountOver(`${mounted.path}/a`);
    const container = { merged: mounted.path };
    await expect(catalogFolder({ layers, index: 1, container })).rejects.toMatchObject({
      code: 'opacity_unknown',
    });
  });
});

describe('the package database of Debian, rewritten by layers', () => {
  const STATUS = 'var/lib/dpkg/status';
  const listed = fc.uniqueArray(fc.constantFrom('adduser 1', 'adduser 2', 'bash 1', 'curl 1'));
  const database = listed.map((packages): Change => {
    const stanzas = packages.map(
      (each) => `Package: ${each.split(' ')[0]}\nVersion: ${each.split(' ')[1]}\n`,
    );
    return { what: 'write', path: STATUS, content: stanzas.join('\n') };
  });
  const rewrite = fc.oneof(
    { weight: 5, arbitrary: database },
    { weight: 1, arbitrary: fc.constant(renew('var/lib')) },
  );
  const rewrites = fc.array(fc.array(rewrite, { maxLength: 2 }), { minLength: 1, maxLength: 6 });

  /** What the file lists in the image that ends with a layer. */
  function listAt(layers: readonly string[], top: number): string[] {
    using mounted = bench.mount(layers.slice(0, top + 1));
    const path = join(mounted.path, STATUS);
    if (!existsSync(path)) return [];
    const stanzas = readFileSync(path, 'utf8').matchAll(/Package: (.*)\nVersion: (.*)\n/g);
    return [...stanzas].map(([, named, version]) => `${named} ${version}`);
  }

  it('gives the packages of its topmost copy, each with the layer since which it is listed', async () => {
    await fc.assert(
      fc.asyncProperty(rewrites, async (made) => {
        const layers = bench.build(made);
        const lists = layers.map((_, index) => listAt(layers, index));
        const since = (each: string): number => lists.findLastIndex((list) => !list.includes(each)) + 1;
        const { packages } = fold(await Promise.all(layers.map(readArchive)));
        const found = packages.map((each) => [`${each.name} ${each.version}`, each.layer]);
        expect(found.sort()).toEqual(
          lists
            .at(-1)
            ?.map((each) => [each, since(each)])
            .sort(),
        );
      }),
      RUNS,
    );
  });
});

describe('the operating system', () => {
  const release = (each: string, id: string): Change => ({
    what: 'write',
    path: each,
    content: `ID=${id}\n`,
  });
  const linked = (each: string, target: string): Change => ({ what: 'link', path: each, target });
  const step = fc.constantFrom(
    release('etc/os-release', 'etc'),
    release('usr/lib/os-release', 'usr'),
    release('opt/lib/os-release-slim', 'slim'),
    linked('etc/os-release', '../usr/lib/os-release'),
    linked('etc/os-release', '../lib/os-release'),
    linked('lib', 'usr/lib'),
    linked('usr/lib', '../opt/lib'),
    linked('usr/lib/os-release', 'os-release-slim'),
    remove('etc/os-release'),
    renew('usr'),
  );

  /** As programs find it: the first of the two files that can be opened. */
  function releaseIn(root: string): string | undefined {
    const found = ['etc/os-release', 'usr/lib/os-release'].map((each) => join(root, each)).find(existsSync);
    return found && /ID=(.*)/.exec(readFileSync(found, 'utf8'))?.[1];
  }

  it('is found through links of files and folders, whichever layers they are in', async () => {
    const seen = new Set<string | undefined>();
    await fc.assert(
      fc.asyncProperty(fc.array(fc.array(step, { maxLength: 4 }), { maxLength: 4 }), async (made) => {
        const layers = bench.build(made);
        using mounted = bench.mount(layers);
        const expected = releaseIn(mounted.path);
        seen.add(expected);
        expect(fold(await Promise.all(layers.map(readArchive))).os?.id).toBe(expected);
      }),
      RUNS,
    );
    expect(seen).toContain('usr');
  });
});
