import { addAbortSignal } from 'node:stream';
import {
  checkPlatform,
  chooseManifest,
  type Descriptor,
  isIndex,
  JsonValue,
  MAX_INDEX_DEPTH,
  type Manifest,
  type Platform,
  parseImageConfig,
  parseIndex,
  parseManifest,
  type SourceImage,
} from '@gatehouse/sbom';
import type { RegistryClient } from './client.ts';
import { MAX_MANIFEST_BYTES, type RegistryDocument } from './document.ts';
import { RegistryError } from './errors.ts';
import { formatReference, type Reference } from './reference.ts';

/** Twice the largest layer that is read; images of models have about as much. */
const MAX_IMAGE_BYTES = 128 * 1024 ** 3;
const MANIFEST_TYPES =
  /^application\/vnd\.(oci\.image\.manifest\.v1|docker\.distribution\.manifest\.v2)\+json$/;
const CONFIG_TYPES = /^application\/vnd\.(oci\.image\.config\.v1|docker\.container\.image\.v1)\+json$/;
/** Layers that their makers do not let registries have, such as those of Windows. */
const FOREIGN_LAYER = /\.(nondistributable|foreign)\./;
const LAYER_TYPES =
  /^application\/vnd\.(oci\.image\.layer\.v1\.tar(\+gzip|\+zstd)?|docker\.image\.rootfs\.diff\.tar(\.gzip|\.zstd)?)$/;

/**
 * The image behind a reference; of several platforms the one that is wanted, else as every source chooses. Nothing of
 * its layers is fetched yet. Throws RegistryError, or SbomError `image_unknown`.
 */
export async function openRegistryImage(
  client: RegistryClient,
  reference: Reference,
  { platform, signal }: { readonly platform?: Platform | undefined; readonly signal?: AbortSignal } = {},
): Promise<SourceImage> {
  const chain = await findManifest(client, reference, platform, signal);
  const name = formatReference(reference);
  const document = chain.at(-1) as RegistryDocument;
  const manifest = parsed(name, document.bytes, parseManifest);
  checkManifest(name, manifest);
  const bytes = await readConfig(client, reference, manifest.config, signal);
  const config = parsed(name, bytes, () => parseImageConfig(bytes));
  checkPlatform(name, config.platform, platform);
  if (config.diffIds.length !== manifest.layers.length) {
    throw invalid(name, `has ${manifest.layers.length} layers with ${config.diffIds.length} diff ids`);
  }
  return {
    digest: manifest.config.digest,
    platform: config.platform,
    config: bytes,
    diffIds: config.diffIds,
    aliases: aliasesOf(reference, chain),
    layers: manifest.layers.map(({ mediaType, digest, size }, index) => ({
      name: digest,
      diffId: config.diffIds[index] ?? '',
      mediaType,
      open: () => client.blob(reference, { digest, size }),
    })),
    [Symbol.asyncDispose]: async () => undefined,
  };
}

/** The documents from what the reference names down to a manifest, through indexes. */
async function findManifest(
  client: RegistryClient,
  reference: Reference,
  platform: Platform | undefined,
  signal: AbortSignal | undefined,
): Promise<readonly RegistryDocument[]> {
  const name = formatReference(reference);
  const chain = [await client.document(reference, signal)];
  for (let last = chain[0]; last && isIndex(last); last = chain.at(-1)) {
    if (chain.length > MAX_INDEX_DEPTH) throw invalid(name, `has indexes more than ${MAX_INDEX_DEPTH} deep`);
    const chosen = chooseManifest(name, parsed(name, last.bytes, parseIndex), platform);
    const next = await client.document({ ...reference, tag: undefined, digest: chosen.digest }, signal);
    if (next.mediaType !== chosen.mediaType) {
      throw invalid(name, `has ${chosen.mediaType} in its index that is ${next.mediaType}`);
    }
    chain.push(next);
  }
  const { mediaType } = chain.at(-1) as RegistryDocument;
  if (!MANIFEST_TYPES.test(mediaType))
    throw unsupported(name, `is ${mediaType || 'of no type'}, which is no image`);
  return chain;
}

function checkManifest(name: string, { config, layers }: Manifest): void {
  if (!CONFIG_TYPES.test(config.mediaType)) throw unsupported(name, `is no image but ${config.mediaType}`);
  let total = 0;
  for (const { mediaType, size = 0 } of layers) {
    if (FOREIGN_LAYER.test(mediaType)) {
      throw unsupported(name, `has a layer that registries do not have (${mediaType})`);
    }
    if (!LAYER_TYPES.test(mediaType)) throw unsupported(name, `has a layer of the type ${mediaType}`);
    total += size;
  }
  if (total > MAX_IMAGE_BYTES) {
    throw new RegistryError('content_too_large', `${name} has layers of more than ${MAX_IMAGE_BYTES} bytes`);
  }
}

/** Registries bound configurations as they bound manifests. */
async function readConfig(
  client: RegistryClient,
  reference: Reference,
  { digest, size }: Descriptor,
  signal: AbortSignal | undefined,
): Promise<Buffer> {
  const stream = client.blob(reference, { digest, size });
  if (signal) addAbortSignal(signal, stream);
  const pieces: Buffer[] = [];
  let received = 0;
  for await (const piece of stream as AsyncIterable<Buffer>) {
    pieces.push(piece);
    received += piece.length;
    if (Math.max(received, size ?? 0) > MAX_MANIFEST_BYTES) {
      throw new RegistryError('content_too_large', `${digest} is larger than configurations are`);
    }
  }
  return Buffer.concat(pieces);
}

/** Names of the image: the tag that was asked for, and what it stood for. */
function aliasesOf(reference: Reference, chain: readonly RegistryDocument[]): readonly string[] {
  const digests = chain.map(({ digest }) => formatReference({ ...reference, tag: undefined, digest }));
  // Beside a digest, nobody has looked where the tag points.
  return reference.digest === undefined ? [formatReference(reference), ...digests] : digests;
}

function parsed<T>(name: string, bytes: Buffer, parse: (value: JsonValue) => T): T {
  try {
    return parse(new JsonValue(JSON.parse(bytes.toString('utf8')), 'document'));
  } catch (cause) {
    throw new RegistryError('registry_answer_invalid', `${name} cannot be understood`, { cause });
  }
}

function invalid(name: string, what: string): RegistryError {
  return new RegistryError('registry_answer_invalid', `${name} ${what}`);
}

function unsupported(name: string, what: string): RegistryError {
  return new RegistryError('image_unsupported', `${name} ${what}`);
}
