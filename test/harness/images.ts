import { createHash } from 'node:crypto';
import { copyFile, link, mkdir, readFile, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { type Descriptor, type Layer, writeLayer } from './layers.ts';

/** An image in a folder of the OCI layout, as skopeo, umoci and a cluster's `load` take it. */
export interface Image {
  readonly folder: string;
  /** REPOSITORY:TAG. */
  readonly name: string;
  /** Of the manifest: REPOSITORY@DIGEST names the image for good. */
  readonly digest: string;
  /** Of the config, which is the id of the image for CRI. */
  readonly id: string;
  /** Digests of the layers without compression, the bottom one first. */
  readonly diffIds: readonly string[];
}

interface ImageConfig {
  /** As in the specification: Entrypoint, Cmd, Env, User, WorkingDir, Labels and so on. */
  readonly config: Readonly<Record<string, unknown>>;
  readonly rootfs: { readonly type: 'layers'; readonly diff_ids: readonly string[] };
}

interface Manifest {
  readonly config: Descriptor;
  readonly layers: readonly Descriptor[];
}

const MEDIA_TYPE = 'application/vnd.oci.image';

/** Go's names of the processors that tests run on. */
const architectures: Readonly<Record<string, string>> = { x64: 'amd64', arm64: 'arm64' };

export interface ImageOptions {
  readonly name: string;
  /** Its layers come first, and its config counts where `config` says nothing. */
  readonly base?: Image;
  readonly layers: readonly Layer[];
  readonly config?: ImageConfig['config'];
}

/** Writes an image to `folder`. The same options give the same bytes. */
export async function buildImage(folder: string, options: ImageOptions): Promise<Image> {
  const blobs = path.join(folder, 'blobs', 'sha256');
  await mkdir(blobs, { recursive: true });
  const below = options.base && (await shareImage(options.base, blobs));
  const added = [];
  for (const layer of options.layers) added.push(await writeLayer(blobs, layer));

  const diffIds = [...(options.base?.diffIds ?? []), ...added.map(({ diffId }) => diffId)];
  const config = await writeJson(blobs, `${MEDIA_TYPE}.config.v1+json`, {
    architecture: architectures[process.arch],
    os: 'linux',
    config: { ...below?.config, ...options.config },
    rootfs: { type: 'layers', diff_ids: diffIds },
  } satisfies ImageConfig & Record<string, unknown>);
  const manifest = await writeJson(blobs, `${MEDIA_TYPE}.manifest.v1+json`, {
    schemaVersion: 2,
    mediaType: `${MEDIA_TYPE}.manifest.v1+json`,
    config,
    layers: [...(below?.layers ?? []), ...added.map(({ descriptor }) => descriptor)],
  } satisfies Manifest & Record<string, unknown>);
  const index = {
    schemaVersion: 2,
    manifests: [{ ...manifest, annotations: annotationsOf(options.name) }],
  };
  await writeFile(path.join(folder, 'index.json'), JSON.stringify(index));
  await writeFile(path.join(folder, 'oci-layout'), JSON.stringify({ imageLayoutVersion: '1.0.0' }));
  return { folder, name: options.name, digest: manifest.digest, id: config.digest, diffIds };
}

/** containerd takes the whole name from its own annotation, skopeo and umoci find the image by the tag. */
function annotationsOf(name: string): Readonly<Record<string, string>> {
  const tag = name.slice(name.lastIndexOf(':') + 1);
  return { 'io.containerd.image.name': name, 'org.opencontainers.image.ref.name': tag };
}

/** Has the layers of an image in another folder, too: as links, or as copies where that is on another disk. */
async function shareImage(
  image: Image,
  blobs: string,
): Promise<{ readonly layers: Manifest['layers']; readonly config: ImageConfig['config'] }> {
  const blob = (digest: string): string => path.join(image.folder, 'blobs', ...digest.split(':'));
  const read = async <T>(digest: string): Promise<T> => JSON.parse(await readFile(blob(digest), 'utf8')) as T;
  const { layers } = await read<Manifest>(image.digest);
  const { config } = await read<ImageConfig>(image.id);
  for (const { digest } of layers) {
    const to = path.join(blobs, path.basename(blob(digest)));
    await link(blob(digest), to).catch(() => copyFile(blob(digest), to));
  }
  return { layers, config };
}

async function writeJson(blobs: string, mediaType: string, content: object): Promise<Descriptor> {
  const bytes = Buffer.from(JSON.stringify(content));
  const digest = createHash('sha256').update(bytes).digest('hex');
  await writeFile(path.join(blobs, digest), bytes);
  return { mediaType, digest: `sha256:${digest}`, size: bytes.length };
}
