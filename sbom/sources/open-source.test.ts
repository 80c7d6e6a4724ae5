import { createHash } from 'node:crypto';
import { mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { fold } from '../image/fold.ts';
import type { ImageContents } from '../image/image-contents.ts';
import { catalogBlob } from '../layer/catalog-blob.ts';
import { type SampleEntry, tarOf } from '../testing/archives.ts';
import { openSource } from './open-source.ts';

const manifestType = 'application/vnd.oci.image.manifest.v1+json';
const indexType = 'application/vnd.oci.image.index.v1+json';
const layerType = 'application/vnd.oci.image.layer.v1.tar+gzip';

interface Descriptor {
  readonly mediaType: string;
  readonly digest: string;
  readonly size: number;
  readonly platform?: { readonly os: string; readonly architecture: string };
  readonly annotations?: Readonly<Record<string, string>>;
}

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'source-'));
});
afterEach(() => {
  vi.unstubAllEnvs();
  rmSync(folder, { recursive: true });
});

function digestOf(bytes: Buffer): string {
  return `sha256:${createHash('sha256').update(bytes).digest('hex')}`;
}

/** The files of an OCI layout in the making. */
class Layout {
  readonly files = new Map<string, Buffer>();

  blob(mediaType: string, content: object | Buffer): Descriptor {
    const bytes = Buffer.isBuffer(content) ? content : Buffer.from(JSON.stringify(content));
    const digest = digestOf(bytes);
    this.files.set(`blobs/sha256/${digest.slice(7)}`, bytes);
    return { mediaType, digest, size: bytes.length };
  }

  /** An image of one layer, in which a package has the given name. */
  async image(
    name: string,
    architecture = 'amd64',
  ): Promise<Descriptor & { config: string; diffId: string }> {
    const layer = await tarOf([
      { name: 'node_modules/x/package.json', content: JSON.stringify({ name, version: '1' }) },
    ]);
    const diffId = digestOf(layer);
    const config = this.blob('application/vnd.oci.image.config.v1+json', {
      os: 'linux',
      architecture,
      rootfs: { type: 'layers', diff_ids: [diffId] },
    });
    const layers = [this.blob(layerType, gzipSync(layer))];
    const manifest = this.blob(manifestType, { schemaVersion: 2, config, layers });
    return { ...manifest, config: config.digest, diffId };
  }

  write(manifests: readonly Descriptor[], into = folder): string {
    this.files.set('index.json', Buffer.from(JSON.stringify({ schemaVersion: 2, manifests })));
    for (const [path, bytes] of this.files) {
      mkdirSync(dirname(join(into, path)), { recursive: true });
      writeFileSync(join(into, path), bytes);
    }
    return into;
  }

  async archive(extra: readonly SampleEntry[] = []): Promise<Buffer> {
    return tarOf([...[...this.files].map(([name, content]) => ({ name, content })), ...extra]);
  }
}

function tagged(descriptor: Descriptor, tag: string): Descriptor {
  const { mediaType, digest, size } = descriptor;
  return { mediaType, digest, size, annotations: { 'org.opencontainers.image.ref.name': tag } };
}

async function contentsOf(source: string): Promise<ImageContents> {
  await using image = await openSource(source);
  const found = await Promise.all(image.layers.map((layer) => catalogBlob(layer, { diffId: layer.diffId })));
  return fold(found.map(({ fragment }) => fragment));
}

async function packageIn(source: string): Promise<string | undefined> {
  return (await contentsOf(source)).packages[0]?.name;
}

describe('an OCI layout', () => {
  it('is an image with its layers, known by the digest of its config', async () => {
    const layout = new Layout();
    const made = await layout.image('ms');
    layout.write([tagged(made, '1.0')]);
    await using image = await openSource(`oci-dir:${folder}`);
    expect(image).toMatchObject({
      digest: made.config,
      platform: { os: 'linux', architecture: 'amd64' },
      diffIds: [made.diffId],
      aliases: [made.digest],
      layers: [{ diffId: made.diffId, mediaType: layerType }],
    });
    expect(await packageIn(`oci-dir:${folder}`)).toBe('ms');
  });

  it('of several images needs a tag', async () => {
    const layout = new Layout();
    layout.write([tagged(await layout.image('old'), '1'), tagged(await layout.image('new'), '2')]);
    expect(await packageIn(`oci-dir:${folder}:2`)).toBe('new');
    await expect(openSource(`oci-dir:${folder}`)).rejects.toMatchObject({
      code: 'image_ambiguous',
      message: `${folder} holds several images: 1, 2`,
    });
    await expect(openSource(`oci-dir:${folder}:3`)).rejects.toMatchObject({
      code: 'image_unknown',
      hint: 'It has: 1, 2.',
    });
  });

  it('of one image under two tags needs none, and a bare tag is no name of it', async () => {
    const layout = new Layout();
    const made = await layout.image('ms');
    layout.write([tagged(made, 'example.test/app:1'), tagged(made, 'latest')]);
    await using image = await openSource(`oci-dir:${folder}`);
    expect(image.aliases).toEqual(['example.test/app:1', made.digest]);
  });

  it('can lie in a folder with a colon in its name, and have a tag with one', async () => {
    const layout = new Layout();
    const inside = layout.write([tagged(await layout.image('ms'), 'a:b')], join(folder, 'x:y'));
    expect(await packageIn(`oci-dir:${inside}:a:b`)).toBe('ms');
    expect(await packageIn(`oci-dir:${inside}`)).toBe('ms');
  });

  it('of several platforms gives that of linux/amd64 or of this machine, and passes attestations by', async () => {
    const layout = new Layout();
    const own = { x64: 'amd64', arm64: 'arm64' }[process.arch as string] ?? 'amd64';
    const manifests = [
      { ...(await layout.image('other', 's390x')), platform: { os: 'linux', architecture: 's390x' } },
      { ...(await layout.image('own', own)), platform: { os: 'linux', architecture: own } },
      {
        ...layout.blob(manifestType, { attestation: true }),
        platform: { os: 'unknown', architecture: 'unknown' },
        annotations: { 'vnd.docker.reference.type': 'attestation-manifest' },
      },
    ];
    const index = layout.blob(indexType, { schemaVersion: 2, manifests });
    layout.write([tagged(index, '1')]);
    expect(await packageIn(`oci-dir:${folder}`)).toBe('own');
    await using image = await openSource(`oci-dir:${folder}`);
    expect(image.aliases).toEqual([index.digest, manifests[1]?.digest]);
  });

  it('gives the only platform there is, and none where it cannot choose', async () => {
    const layout = new Layout();
    const only = {
      ...(await layout.image('only', 's390x')),
      platform: { os: 'linux', architecture: 's390x' },
    };
    layout.write([only]);
    expect(await packageIn(`oci-dir:${folder}`)).toBe('only');
    const other = {
      ...(await layout.image('other', 'mips')),
      platform: { os: 'linux', architecture: 'mips' },
    };
    layout.write([only, other]);
    await expect(openSource(`oci-dir:${folder}`)).rejects.toMatchObject({
      code: 'image_unknown',
      hint: 'It has: linux/s390x, linux/mips.',
    });
  });

  it.each<[string, (layout: Layout, made: Descriptor & { config: string }) => void, RegExp]>([
    ['a manifest', (layout, made) => layout.files.delete(blob(made.digest)), /has no blobs\/sha256/],
    ['a config', (layout, made) => layout.files.delete(blob(made.config)), /has no blobs\/sha256/],
    [
      'an honest config',
      (layout, made) => layout.files.set(blob(made.config), Buffer.from('{}')),
      /with the digest/,
    ],
    [
      'a layer',
      (layout) => {
        for (const [path, bytes] of layout.files) if (bytes[0] === 0x1f) layout.files.delete(path);
      },
      /lacks the layer/,
    ],
    [
      'a readable index',
      (layout) => layout.files.set('index.json', Buffer.from('{')),
      /cannot be understood/,
    ],
  ])('that lacks %s is refused', async (_what, damage, message) => {
    const layout = new Layout();
    const made = await layout.image('ms');
    layout.write([made]);
    damage(layout, made);
    writeFileSync(join(folder, 'damaged.tar'), await layout.archive());
    const opening = openSource(`oci-archive:${join(folder, 'damaged.tar')}`);
    await expect(opening).rejects.toMatchObject({
      code: 'source_corrupt',
      message: expect.stringMatching(message),
    });
  });

  it('is refused when an index names itself', async () => {
    const layout = new Layout();
    const made = await layout.image('ms');
    let index: Descriptor = made;
    for (let depth = 0; depth < 6; depth++) index = layout.blob(indexType, { manifests: [index] });
    layout.write([index]);
    await expect(openSource(`oci-dir:${folder}`)).rejects.toMatchObject({ code: 'source_corrupt' });
  });
});

function blob(digest: string): string {
  return `blobs/${digest.replace(':', '/')}`;
}

describe('an OCI archive', () => {
  it('is read where it lies, and unpacked first only if it is compressed', async () => {
    const layout = new Layout();
    layout.write([await layout.image('ms')]);
    const archive = await layout.archive();
    const temporary = join(folder, 'temporary');
    mkdirSync(temporary);
    vi.stubEnv('TMPDIR', temporary);
    for (const [name, bytes] of [
      ['plain.tar', archive],
      ['packed.tar.gz', gzipSync(archive)],
    ] as const) {
      writeFileSync(join(folder, name), bytes);
      expect(await packageIn(`oci-archive:${join(folder, name)}`)).toBe('ms');
    }
    expect(readdirSync(temporary)).toEqual([]);
  });
});

describe('an archive of docker save', () => {
  async function save(options: { images?: number; config?: string; links?: boolean } = {}): Promise<string> {
    const layer = await tarOf([
      { name: 'node_modules/x/package.json', content: '{"name":"ms","version":"1"}' },
    ]);
    const diffIds = [digestOf(layer), digestOf(layer)];
    const config = Buffer.from(
      JSON.stringify({ os: 'linux', architecture: 'amd64', rootfs: { diff_ids: diffIds } }),
    );
    const name = options.config ?? `${digestOf(config).slice(7)}.json`;
    const saved = { Config: name, RepoTags: ['example.test/app:1'], Layers: ['a/layer.tar', 'b/layer.tar'] };
    const second: SampleEntry = options.links
      ? { name: 'b/layer.tar', type: 'symlink', linkname: '../a/layer.tar' }
      : { name: 'b/layer.tar', content: layer };
    const path = join(folder, 'saved.tar');
    const manifest = JSON.stringify(Array.from({ length: options.images ?? 1 }, () => saved));
    writeFileSync(
      path,
      await tarOf([
        { name: 'a/layer.tar', content: layer },
        second,
        { name, content: config },
        { name: 'manifest.json', content: manifest },
      ]),
    );
    return path;
  }

  it('is an image known by its config and its tags', async () => {
    await using image = await openSource(`docker-archive:${await save()}`);
    expect(image.digest).toMatch(/^sha256:[0-9a-f]{64}$/);
    expect(image).toMatchObject({ aliases: ['example.test/app:1'], platform: { os: 'linux' } });
    expect(image.layers).toHaveLength(2);
  });

  it('can have links where layers are alike', async () => {
    expect(await packageIn(`docker-archive:${await save({ links: true })}`)).toBe('ms');
  });

  it('is refused if its config has another digest than its name says', async () => {
    const path = await save({ config: `${'0'.repeat(64)}.json` });
    await expect(openSource(`docker-archive:${path}`)).rejects.toMatchObject({ code: 'source_corrupt' });
  });

  it.each([
    [0, 'source_corrupt'],
    [2, 'image_ambiguous'],
  ])('of %i images is refused as %s', async (images, code) => {
    await expect(openSource(`docker-archive:${await save({ images })}`)).rejects.toMatchObject({ code });
  });

  it('is told from an OCI archive', async () => {
    const path = await save();
    await expect(openSource(`oci-archive:${path}`)).rejects.toMatchObject({
      code: 'source_corrupt',
      hint: 'What docker save has written is opened as docker-archive:FILE.',
    });
  });
});

describe('a source', () => {
  it.each(['docker:alpine', 'alpine', 'toString:x', 'oci-dir:', ''])(
    '%j is not one in a file',
    async (text) => {
      await expect(openSource(text)).rejects.toMatchObject({
        code: 'source_invalid',
        hint: 'Give one of docker-archive:FILE, oci-archive:FILE, oci-dir:DIR[:TAG].',
      });
    },
  );

  it.each(['oci-dir:/does/not/exist', 'oci-archive:/does/not/exist', 'docker-archive:/does/not/exist'])(
    '%s cannot be read',
    async (text) => {
      await expect(openSource(text)).rejects.toMatchObject({ code: 'source_unreadable' });
    },
  );

  it('that is cut off, or no archive at all, is refused', async () => {
    const path = join(folder, 'cut.tar');
    const archive = await tarOf([{ name: 'manifest.json', content: 'x'.repeat(100_000) }]);
    for (const bytes of [
      archive.subarray(0, 50_000),
      Buffer.from('no archive'.repeat(100)),
      gzipSync(archive).subarray(0, 60),
    ]) {
      writeFileSync(path, bytes);
      await expect(openSource(`docker-archive:${path}`)).rejects.toMatchObject({
        code: 'source_corrupt',
        message: `${path} is not a tar archive, or is damaged`,
      });
    }
  });
});
