import { SbomError } from '../errors.ts';
import type { JsonValue } from '../json-shape.ts';
import { parseDigest } from './digest.ts';
import { MAX_LAYERS } from './image-config.ts';
import { choosePlatform, describePlatform, type Platform, parsePlatform } from './platform.ts';

/** A reference to a blob. OCI image-spec, descriptor.md. */
export interface Descriptor {
  readonly mediaType: string;
  readonly digest: string;
  /** In bytes. The specification wants it of each; layouts are read without. */
  readonly size: number | undefined;
  readonly platform?: Platform | undefined;
  /** Of the image, where an index names it; the tag comes first. */
  readonly names: readonly string[];
  readonly isAttestation: boolean;
}

export interface Manifest {
  readonly config: Descriptor;
  readonly layers: readonly Descriptor[];
}

const MAX_MANIFESTS = 1000;
const MAX_NAME_LENGTH = 512;
const INDEX_TYPES =
  /^application\/vnd\.(oci\.image\.index\.v1|docker\.distribution\.manifest\.list\.v2)\+json$/;
const NAME_ANNOTATIONS = ['org.opencontainers.image.ref.name', 'io.containerd.image.name'];

export function isIndex({ mediaType }: Pick<Descriptor, 'mediaType'>): boolean {
  return INDEX_TYPES.test(mediaType);
}

export function parseIndex(value: JsonValue): Descriptor[] {
  return value.get('manifests').list(MAX_MANIFESTS, parseDescriptor);
}

export function parseManifest(value: JsonValue): Manifest {
  return {
    config: parseDescriptor(value.get('config')),
    layers: value.get('layers').list(MAX_LAYERS, parseDescriptor),
  };
}

/** An index of an index is allowed, and used by some exporters; the bound is for circles. */
export const MAX_INDEX_DEPTH = 4;

/**
 * The manifest of an index that is taken: for the wanted platform, or for one that is preferred; attestations are passed
 * over. `name` is what messages call the place. Throws SbomError `image_unknown`.
 */
export function chooseManifest(
  name: string,
  descriptors: readonly Descriptor[],
  wanted?: Platform,
): Descriptor {
  const images = new Map(
    descriptors.filter(({ isAttestation }) => !isAttestation).map((each) => [each.digest, each]),
  );
  const chosen = choosePlatform([...images.values()], wanted);
  if (chosen) return chosen;
  const platforms = [...images.values()].map(({ platform }) =>
    platform ? describePlatform(platform) : 'unknown',
  );
  const what = wanted ? `the platform ${describePlatform(wanted)}` : 'a platform that can be chosen';
  throw new SbomError('image_unknown', `${name} has no image for ${what}`, {
    hint: `It has: ${platforms.join(', ') || 'none at all'}.`,
  });
}

function parseDescriptor(value: JsonValue): Descriptor {
  const annotations = value.get('annotations');
  const annotation = (key: string): string | undefined =>
    annotations.isAbsent ? undefined : annotations.get(key).optional(parseName);
  return {
    mediaType: parseName(value.get('mediaType')),
    digest: parseDigest(value.get('digest')),
    size: value.get('size').optional((size) => size.count()),
    platform: value.get('platform').optional(parsePlatform),
    names: NAME_ANNOTATIONS.flatMap((key) => annotation(key) ?? []),
    isAttestation: annotation('vnd.docker.reference.type') === 'attestation-manifest',
  };
}

function parseName(value: JsonValue): string {
  return value.text((text) => text.length <= MAX_NAME_LENGTH, 'a short text');
}
