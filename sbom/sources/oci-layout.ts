import { SbomError } from '../errors.ts';
import { blobPath } from './digest.ts';
import { type FileStore, readDocument } from './file-store.ts';
import { parseConfig } from './image-config.ts';
import {
  chooseManifest,
  type Descriptor,
  isIndex,
  MAX_INDEX_DEPTH,
  parseIndex,
  parseManifest,
} from './oci-documents.ts';
import type { Platform } from './platform.ts';
import { assembleImage, type SourceImage } from './source-image.ts';

const INDEX_FILE = 'index.json';

/**
 * The image of an OCI image layout (image-spec, image-layout.md); `tag` and `platform` choose among several.
 * Throws SbomError `image_ambiguous`, `image_unknown`, `source_corrupt` or `source_unreadable`.
 */
export async function openOciLayout(
  store: FileStore,
  { tag, platform }: { readonly tag?: string; readonly platform?: Platform | undefined },
): Promise<SourceImage> {
  if ((await store.sizeOf(INDEX_FILE)) === undefined) {
    throw new SbomError('source_corrupt', `${store.name} has no ${INDEX_FILE}, so it is not an OCI layout`, {
      hint: 'What docker save has written is opened as docker-archive:FILE.',
    });
  }
  const { parsed: index } = await readDocument(store, INDEX_FILE, parseIndex);
  const tagged = chooseTag(store, index, tag);
  const chain = await findManifest(store, chooseManifest(store.name, tagged, platform), platform);
  const manifestDigest = chain.at(-1) ?? '';
  const { parsed: manifest } = await readDocument(
    store,
    blobPath(manifestDigest),
    parseManifest,
    manifestDigest,
  );
  const { digest } = manifest.config;
  const { parsed: config, bytes } = await readDocument(store, blobPath(digest), parseConfig, digest);
  return assembleImage(store, {
    digest,
    bytes,
    config,
    aliases: [...new Set([...tagged.flatMap(({ names }) => names.filter(isWholeName)), ...chain])],
    layers: manifest.layers.map((layer) => ({ path: blobPath(layer.digest), mediaType: layer.mediaType })),
  });
}

/** `org.opencontainers.image.ref.name` may be a bare tag (image-spec, annotations.md), which names no image by itself. */
function isWholeName(name: string): boolean {
  return /[/:]/.test(name);
}

/** The digests from a descriptor down to a manifest, through indexes. */
async function findManifest(
  store: FileStore,
  from: Descriptor,
  platform: Platform | undefined,
): Promise<readonly string[]> {
  const digests = [from.digest];
  let descriptor = from;
  for (let depth = 0; depth < MAX_INDEX_DEPTH && isIndex(descriptor); depth++) {
    const { digest } = descriptor;
    const { parsed } = await readDocument(store, blobPath(digest), parseIndex, digest);
    descriptor = chooseManifest(store.name, parsed, platform);
    digests.push(descriptor.digest);
  }
  return digests;
}

function chooseTag(
  store: FileStore,
  index: readonly Descriptor[],
  tag: string | undefined,
): readonly Descriptor[] {
  const tags = [...new Set(index.flatMap(({ names }) => names.slice(0, 1)))];
  if (tag === undefined) {
    if (tags.length <= 1 || new Set(index.map(({ digest }) => digest)).size === 1) return index;
    throw new SbomError('image_ambiguous', `${store.name} holds several images: ${tags.join(', ')}`, {
      hint: 'Say which one, as in oci-dir:DIR:TAG.',
    });
  }
  const found = index.filter(({ names }) => names.includes(tag));
  if (found.length > 0) return found;
  throw new SbomError('image_unknown', `${store.name} has no image of the tag '${tag}'`, {
    hint: tags.length > 0 ? `It has: ${tags.join(', ')}.` : 'Its images have no tags.',
  });
}
