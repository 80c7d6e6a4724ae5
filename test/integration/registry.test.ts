import { createCipheriv } from 'node:crypto';
import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { buffer } from 'node:stream/consumers';
import {
  anonymous,
  type CredentialSource,
  openRegistryImage,
  parseReference,
  plainSettings,
  RegistryClient,
  type RegistrySettings,
} from '@gatehouse/registry';
import { catalogBlob, readPlatform, type SourceImage } from '@gatehouse/sbom';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { buildImage, type Image } from '../harness/images.ts';
import { type Registry, startRegistry } from '../harness/registry.ts';
import { digestOf, npmPackage, OS_RELEASE } from './layers.ts';
import { type Meddler, startMeddler } from './meddler.ts';

let folder: string;
let registry: Registry;
let image: Image;
let meddler: Meddler;
let open: DisposableStack;

/** Nothing here waits for long; lines that break are what is shown. */
const PATIENCE = { firstByte: 5_000, stall: 500, backoff: { first: 1, most: 2 }, longestWait: 5_000 };
/** A pair that has no meaning but to be found again where it should not be. */
const jane: CredentialSource = async () => [{ kind: 'password', username: 'jane', password: 'secret' }];

beforeAll(async () => {
  folder = await mkdtemp(path.join(tmpdir(), 'gatehouse-registry-test-'));
  registry = await startRegistry();
  // More than fits into the buffers of a connection, and not to be compressed.
  const noise = createCipheriv('aes-128-ctr', Buffer.alloc(16), Buffer.alloc(16)).update(
    Buffer.alloc(500_000),
  );
  const lower = await folderOf('lower', { ...OS_RELEASE, ...npmPackage('minimist', '1.2.0'), noise });
  const upper = await folderOf('upper', npmPackage('minimist', '1.2.5'));
  image = await buildImage(path.join(folder, 'image'), {
    name: 'registry.test/app:1',
    // Compressed, or skopeo would do it on the way.
    layers: [{ folder: lower }, { folder: upper }],
  });
  await registry.push(image.folder, 'team/app:1');
});

afterAll(async () => {
  await registry?.[Symbol.asyncDispose]();
  await rm(folder, { recursive: true, force: true });
});

beforeEach(async () => {
  open = new DisposableStack();
  meddler = await startMeddler(registry.host);
});

afterEach(async () => {
  open.dispose();
  await meddler[Symbol.asyncDispose]();
});

async function folderOf(name: string, files: Readonly<Record<string, string | Buffer>>): Promise<string> {
  const to = path.join(folder, name);
  for (const [file, content] of Object.entries(files)) {
    await mkdir(path.dirname(path.join(to, file)), { recursive: true });
    await writeFile(path.join(to, file), content);
  }
  return to;
}

function clientOf(settings: Partial<RegistrySettings> = {}, credentials = anonymous): RegistryClient {
  const insecure = new Set([registry.host, meddler.host]);
  return open.use(new RegistryClient({ ...plainSettings, insecure, ...settings }, credentials, PATIENCE));
}

const openAt = (host: string, client = clientOf(), name = 'team/app:1'): Promise<SourceImage> =>
  openRegistryImage(client, parseReference(`${host}/${name}`));

/** What is found in the layers, which are held against their diff ids on the way. */
async function packagesOf({ layers }: SourceImage): Promise<readonly string[]> {
  const read = await Promise.all(layers.map((layer) => catalogBlob(layer, { diffId: layer.diffId })));
  return read.flatMap(({ fragment }) =>
    fragment.evidence.flatMap(({ packages }) => packages.map((found) => found.name)),
  );
}

const isBlob = ({ path: asked }: { path: string }, at: number): boolean =>
  asked.endsWith(`/blobs/${digests[at]}`);
let digests: readonly string[] = [];
beforeAll(async () => {
  const manifest = await readFile(path.join(image.folder, 'blobs', ...image.digest.split(':')), 'utf8');
  digests = (JSON.parse(manifest) as { layers: { digest: string }[] }).layers.map(({ digest }) => digest);
});

describe('an image of a registry', () => {
  it.each(['oci', 'v2s2'] as const)('is read in the form %s', async (format) => {
    await registry.push(image.folder, `forms/${format}:1`, { format });
    const opened = await openAt(registry.host, clientOf(), `forms/${format}:1`);
    expect(opened.digest).toBe(image.id);
    expect(opened.diffIds).toEqual(image.diffIds);
    expect(await packagesOf(opened)).toEqual(['minimist', 'minimist']);
  });

  it('is known by its tag, and by the digest that stands behind it', async () => {
    const { aliases } = await openAt(registry.host);
    const named = `${registry.host}/team/app`;
    expect(aliases).toEqual([`${named}:1`, `${named}@${image.digest}`]);
    const fixed = await openAt(registry.host, clientOf(), `team/app@${image.digest}`);
    expect(fixed.aliases).toEqual([`${named}@${image.digest}`]);
  });

  it('that is not there is absent', async () => {
    await expect(openAt(registry.host, clientOf(), 'team/other:1')).rejects.toMatchObject({
      code: 'registry_absent',
    });
  });

  it('for several platforms is the one for this machine, or the one that is wanted', async () => {
    const { folder: several, manifests } = await withPlatforms();
    await registry.push(several, 'team/several:1');
    const reference = parseReference(`${registry.host}/team/several:1`);
    const client = clientOf();
    const chosen = await openRegistryImage(client, reference);
    expect(chosen.digest).toBe(image.id);
    expect(chosen.aliases).toHaveLength(3);
    const wanted = await openRegistryImage(client, reference, { platform: readPlatform('linux/s390x') });
    expect(wanted.platform.architecture).toBe('s390x');
    expect(wanted.aliases.at(-1)).toBe(`${registry.host}/team/several@${manifests.s390x}`);
    await expect(
      openRegistryImage(client, reference, { platform: readPlatform('linux/riscv64') }),
    ).rejects.toMatchObject({ code: 'image_unknown', hint: expect.stringContaining('linux/s390x') });
  });

  it('for another platform than the wanted one is none', async () => {
    const reference = parseReference(`${registry.host}/team/app:1`);
    await expect(
      openRegistryImage(clientOf(), reference, { platform: readPlatform('linux/s390x') }),
    ).rejects.toMatchObject({ code: 'image_unknown' });
  });
});

/** The image, and the same for another processor, and an attestation, in one index. */
async function withPlatforms(): Promise<{ folder: string; manifests: Record<string, string> }> {
  const to = path.join(folder, 'several');
  const blobs = path.join(to, 'blobs/sha256');
  await mkdir(blobs, { recursive: true });
  await buildImage(to, { name: 'registry.test/several:1', base: image, layers: [] });
  const put = async (mediaType: string, content: object) => {
    const bytes = Buffer.from(JSON.stringify(content));
    const digest = digestOf(bytes);
    await writeFile(path.join(blobs, digest.slice(7)), bytes);
    return { mediaType, digest, size: bytes.length };
  };
  const read = async (digest: string) =>
    JSON.parse(await readFile(path.join(blobs, digest.slice(7)), 'utf8'));
  const first = JSON.parse(await readFile(path.join(to, 'index.json'), 'utf8')).manifests[0];
  const manifest = await read(first.digest);
  const config = { ...(await read(manifest.config.digest)), architecture: 's390x' };
  const other = await put(first.mediaType, {
    ...manifest,
    config: await put(manifest.config.mediaType, config),
  });
  const index = await put('application/vnd.oci.image.index.v1+json', {
    schemaVersion: 2,
    mediaType: 'application/vnd.oci.image.index.v1+json',
    manifests: [
      {
        ...other,
        platform: { os: 'linux', architecture: 'amd64' },
        annotations: { 'vnd.docker.reference.type': 'attestation-manifest' },
      },
      { ...first, platform: { os: 'linux', architecture: process.arch === 'x64' ? 'amd64' : process.arch } },
      { ...other, platform: { os: 'linux', architecture: 's390x' } },
    ],
  });
  await writeFile(path.join(to, 'index.json'), JSON.stringify({ schemaVersion: 2, manifests: [index] }));
  return { folder: to, manifests: { s390x: other.digest } };
}

describe('a line that breaks', () => {
  it('is taken up where it broke', async () => {
    meddler.rule = (seen, before) => (isBlob(seen, 0) && before < 3 ? { cutAfter: 100_000 } : undefined);
    expect(await packagesOf(await openAt(meddler.host))).toEqual(['minimist', 'minimist']);
    const ranges = meddler.seen.filter((seen) => isBlob(seen, 0)).map(({ range }) => range);
    expect(ranges).toEqual([undefined, 'bytes=100000-', 'bytes=200000-', 'bytes=300000-']);
  });

  it('is no harm where the registry knows no ranges', async () => {
    meddler.rule = (seen, before) => {
      if (!isBlob(seen, 0)) return undefined;
      return before === 0 ? { cutAfter: 100_000 } : { withoutRange: true };
    };
    expect(await packagesOf(await openAt(meddler.host))).toEqual(['minimist', 'minimist']);
  });

  it('is given up in the end', async () => {
    meddler.rule = (seen) => (isBlob(seen, 0) ? { cutAfter: 10_000 } : undefined);
    const opened = await openAt(meddler.host);
    await expect(packagesOf(opened)).rejects.toMatchObject({ cause: { code: 'registry_unreachable' } });
    expect(meddler.seen.filter((seen) => isBlob(seen, 0)).length).toBeLessThan(15);
  });

  it('that only stands still is one, too', async () => {
    meddler.rule = (seen, before) => (isBlob(seen, 0) && before < 1 ? { hangAfter: 50_000 } : undefined);
    expect(await packagesOf(await openAt(meddler.host))).toEqual(['minimist', 'minimist']);
  });

  it('in the midst of a manifest means to ask once more', async () => {
    meddler.rule = (_, before) => (before === 0 ? { cutAfter: 10 } : undefined);
    expect((await openAt(meddler.host)).digest).toBe(image.id);
  });
});

describe('a registry that sends something else', () => {
  it('is found out by the digest of a layer', async () => {
    const wrong = Buffer.alloc(await sizeOf(0));
    meddler.rule = (seen) => (isBlob(seen, 0) ? { status: 200, body: wrong } : undefined);
    const { layers } = await openAt(meddler.host);
    const reading = buffer(layers[0]?.open() as NodeJS.ReadableStream);
    await expect(reading).rejects.toMatchObject({ code: 'content_mismatch' });
  });

  it.each(['more', 'less'])('is found out by sending %s than it should', async (than) => {
    const body = Buffer.alloc((await sizeOf(0)) + (than === 'more' ? 1 : -1));
    meddler.rule = (seen) => (isBlob(seen, 0) ? { status: 200, body } : undefined);
    const { layers } = await openAt(meddler.host);
    const reading = buffer(layers[0]?.open() as NodeJS.ReadableStream);
    await expect(reading).rejects.toMatchObject({ code: 'content_mismatch' });
  });

  const MANIFEST = 'application/vnd.oci.image.manifest.v1+json';
  const config = { mediaType: 'application/vnd.oci.image.config.v1+json', digest: digestOf(Buffer.from('')) };
  const layer = (mediaType: string) => ({ mediaType, digest: digestOf(Buffer.from('')), size: 0 });

  it.each<[string, string, object, string]>([
    [
      'an image of schema 1',
      'application/vnd.docker.distribution.manifest.v1+prettyjws',
      { schemaVersion: 1 },
      'image_unsupported',
    ],
    [
      'a layer that is not distributed',
      MANIFEST,
      { config, layers: [layer('application/vnd.oci.image.layer.nondistributable.v1.tar+gzip')] },
      'image_unsupported',
    ],
    [
      'a layer that is foreign',
      MANIFEST,
      { config, layers: [layer('application/vnd.docker.image.rootfs.foreign.diff.tar.gzip')] },
      'image_unsupported',
    ],
    [
      'a layer that is something else',
      MANIFEST,
      { config, layers: [layer('text/plain')] },
      'image_unsupported',
    ],
    ['no image', MANIFEST, { config: { ...config, mediaType: 'a/b' }, layers: [] }, 'image_unsupported'],
    [
      'a type that is not its own',
      MANIFEST,
      { mediaType: 'a/b', config, layers: [] },
      'registry_answer_invalid',
    ],
    ['two things at once', MANIFEST, { manifests: [], config, layers: [] }, 'registry_answer_invalid'],
    ['no object', MANIFEST, [], 'registry_answer_invalid'],
    ['other layers than the image has', MANIFEST, { config, layers: 'none' }, 'registry_answer_invalid'],
    ['too much', MANIFEST, { much: 'x'.repeat(5_000_000) }, 'content_too_large'],
    [
      'an image beyond all measure',
      MANIFEST,
      { config, layers: [{ ...layer('application/vnd.oci.image.layer.v1.tar'), size: 2 ** 50 }] },
      'content_too_large',
    ],
  ])('such as %s is refused', async (_, type, document, code) => {
    meddler.rule = () => ({ status: 200, headers: { 'content-type': type }, body: JSON.stringify(document) });
    await expect(openAt(meddler.host)).rejects.toMatchObject({ code });
  });

  it('by a digest other than the one that was asked for is refused', async () => {
    meddler.rule = () => ({ status: 200, headers: { 'content-type': MANIFEST }, body: '{}' });
    await expect(openAt(meddler.host, clientOf(), `team/app@${image.digest}`)).rejects.toMatchObject({
      code: 'content_mismatch',
    });
  });

  it('in a circle of indexes is refused', async () => {
    const INDEX = 'application/vnd.oci.image.index.v1+json';
    let next = '{}';
    const documents = new Map<string, string>();
    for (let depth = 0; depth < 8; depth++) {
      const digest = digestOf(Buffer.from(next));
      documents.set(digest, next);
      next = JSON.stringify({
        mediaType: INDEX,
        manifests: [{ mediaType: INDEX, digest, size: next.length }],
      });
    }
    meddler.rule = ({ path: asked }) => {
      const body = documents.get(asked.slice(asked.lastIndexOf('/') + 1)) ?? next;
      return { status: 200, headers: { 'content-type': INDEX }, body };
    };
    await expect(openAt(meddler.host)).rejects.toThrow(/deep/);
  });
});

async function sizeOf(layer: number): Promise<number> {
  const [algorithm = '', hex = ''] = digests[layer]?.split(':') ?? [];
  return (await readFile(path.join(image.folder, 'blobs', algorithm, hex))).length;
}

describe('a registry that points elsewhere', () => {
  it('has its blobs read there, and nobody there sees the credentials', async () => {
    await using storage = await startMeddler(registry.host);
    meddler.rule = (seen) => {
      if (seen.authorization === undefined) {
        return { status: 401, headers: { 'www-authenticate': 'Basic realm="x"' } };
      }
      const location = `http://${storage.host}${seen.path}`;
      return seen.path.includes('/blobs/') ? { status: 307, headers: { location } } : undefined;
    };
    const insecure = new Set([meddler.host, storage.host]);
    const opened = await openAt(meddler.host, clientOf({ insecure }, jane));
    expect(await packagesOf(opened)).toEqual(['minimist', 'minimist']);
    expect(meddler.seen.some(({ authorization }) => authorization?.startsWith('Basic '))).toBe(true);
    expect(storage.seen.length).toBeGreaterThan(2);
    expect(storage.seen.map(({ authorization }) => authorization)).not.toContain(expect.anything());
    expect(storage.seen.every(({ authorization }) => authorization === undefined)).toBe(true);
  });

  it('is not followed there for a proof of who we are', async () => {
    await using storage = await startMeddler();
    storage.rule = () => ({ status: 401, headers: { 'www-authenticate': 'Basic realm="x"' } });
    meddler.rule = ({ path: asked }) => ({
      status: 307,
      headers: { location: `http://${storage.host}${asked}` },
    });
    const insecure = new Set([meddler.host, storage.host]);
    await expect(openAt(meddler.host, clientOf({ insecure }, jane))).rejects.toMatchObject({
      code: 'registry_denied',
    });
    expect(storage.seen.map(({ authorization }) => authorization)).toEqual([undefined]);
  });

  it('is not followed to where nothing is encrypted, unless that was named', async () => {
    await using storage = await startMeddler(registry.host);
    meddler.rule = ({ path: asked }) => ({
      status: 307,
      headers: { location: `http://${storage.host}${asked}` },
    });
    await expect(openAt(meddler.host)).rejects.toMatchObject({ code: 'registry_denied' });
    expect(storage.seen).toEqual([]);
  });

  it.each(['ftp://registry.test/', 'http://[', 'https://jane:secret@127.0.0.1:1/'])(
    'is not followed to %s',
    async (location) => {
      meddler.rule = () => ({ status: 302, headers: { location } });
      await expect(openAt(meddler.host)).rejects.toMatchObject({ code: /registry_(denied|answer_invalid)/ });
    },
  );

  it('without end is given up', async () => {
    meddler.rule = ({ path: asked }) => ({ status: 302, headers: { location: `${asked}x` } });
    await expect(openAt(meddler.host)).rejects.toThrow(/elsewhere more than 5 times/);
    expect(meddler.seen).toHaveLength(6);
  });
});

describe('a registry that is busy', () => {
  it.each([429, 500, 503])('and says so by %i is asked again', async (status) => {
    meddler.rule = (_, before) => (before < 2 ? { status, headers: { 'retry-after': '0' } } : undefined);
    expect((await openAt(meddler.host)).digest).toBe(image.id);
  });

  it('for longer than is waited is said to be so', async () => {
    const body = JSON.stringify({ errors: [{ code: 'TOOMANYREQUESTS', message: 'slow\u0007down' }] });
    meddler.rule = () => ({ status: 429, headers: { 'retry-after': '3600' }, body });
    await expect(openAt(meddler.host)).rejects.toMatchObject({
      code: 'registry_unavailable',
      message: expect.stringContaining('TOOMANYREQUESTS slow down'),
    });
    expect(meddler.seen).toHaveLength(1);
  });

  it('without end is given up', async () => {
    meddler.rule = () => ({ status: 503 });
    await expect(openAt(meddler.host)).rejects.toMatchObject({ code: 'registry_unavailable' });
    expect(meddler.seen).toHaveLength(4);
  });
});

describe('a mirror', () => {
  const mirrored = (...hosts: readonly string[]): Partial<RegistrySettings> => ({
    mirrors: new Map([[registry.host, hosts.map((host) => ({ host, prefix: '' }))]]),
  });

  it('is asked instead of the registry', async () => {
    await using second = await startMeddler(registry.host);
    const insecure = new Set([meddler.host, second.host]);
    const settings = {
      mirrors: new Map([[second.host, [{ host: meddler.host, prefix: '' }]]]),
      insecure,
    };
    const opened = await openAt(second.host, clientOf(settings));
    expect(await packagesOf(opened)).toEqual(['minimist', 'minimist']);
    expect(second.seen).toEqual([]);
    expect(opened.aliases[0]).toBe(`${second.host}/team/app:1`);
  });

  it('can have all registries below names of its own', async () => {
    await registry.push(image.folder, 'proxy/team/app:1');
    const settings = { mirrors: new Map([['registry.test', [{ host: meddler.host, prefix: 'proxy/' }]]]) };
    expect((await openAt('registry.test', clientOf(settings))).digest).toBe(image.id);
    expect(meddler.seen.every(({ path: asked }) => asked.startsWith('/v2/proxy/team/app/'))).toBe(true);
  });

  it('that is down, or lacks the image, costs no more than a try', async () => {
    meddler.rule = () => ({ status: 404 });
    const client = clientOf(mirrored('127.0.0.1:1', meddler.host));
    expect(await packagesOf(await openAt(registry.host, client))).toEqual(['minimist', 'minimist']);
    expect(meddler.seen).toHaveLength(4);
  });

  it('that breaks off is followed by the registry, from there on', async () => {
    await using second = await startMeddler(registry.host);
    meddler.rule = (seen) => (isBlob(seen, 0) ? { cutAfter: 10_000 } : undefined);
    const settings = {
      mirrors: new Map([[second.host, [{ host: meddler.host, prefix: '' }]]]),
      insecure: new Set([meddler.host, second.host]),
    };
    expect(await packagesOf(await openAt(second.host, clientOf(settings)))).toEqual(['minimist', 'minimist']);
    expect(second.seen.map(({ range }) => range).filter(Boolean)).toHaveLength(1);
  });

  it('is named where nobody has the image', async () => {
    meddler.rule = () => ({ status: 404 });
    const client = clientOf(mirrored(meddler.host));
    await expect(openAt(registry.host, client, 'team/other:1')).rejects.toThrow(
      `mirrors: ${meddler.host} answers 404`,
    );
  });
});
