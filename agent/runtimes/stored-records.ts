import { JsonValue } from '@gatehouse/sbom';

/** What containers-storage writes of an image (images.go in github.com/containers/storage), as far as it is used. */
export interface StoredImage {
  readonly id: string;
  readonly names: readonly string[];
  /** Of the manifests that it was pulled by. */
  readonly digests: readonly string[];
  /** The topmost; an image of no layers has none. */
  readonly layer: string | undefined;
}

/** Of a layer (layers.go). */
export interface StoredLayer {
  readonly id: string;
  readonly parent: string | undefined;
  readonly diffDigest: string | undefined;
  /** Of the table of contents of a layer that was pulled in parts. */
  readonly tocDigest: string | undefined;
}

/** Of a container (containers.go). */
export interface StoredContainer {
  readonly id: string;
  /** What it writes to. */
  readonly layer: string;
}

/** A node has a hundred images, and as many containers; each image has ten layers. */
const MAX_RECORDS = 100_000;
/** As many as the core takes of an image. */
const MAX_NAMES = 10_000;
const ID = /^[0-9a-f]{64}$/;
/** What may become a part of a path of a digest that an image, or whoever wrote a store, has named. */
export const DIGEST = /^sha256:[0-9a-f]{64}$/;

/** Images whose id is not the digest of a configuration are left out: no runtime runs them. Throws a plain error. */
export function parseImages(text: string): readonly StoredImage[] {
  return records(text, (record) => {
    const digests = [
      record.get('digest').optional(digest),
      ...(record.get('big-data-names').optional((names) => names.list(MAX_NAMES, anyText)) ?? []).map(
        (name) => /^manifest-(sha256:[0-9a-f]{64})$/.exec(name)?.[1],
      ),
    ];
    return {
      id: record.get('id').text(() => true, 'an id'),
      names: record.get('names').optional((names) => names.list(MAX_NAMES, anyText)) ?? [],
      digests: [...new Set(digests.filter((each) => each !== undefined))],
      layer: record.get('layer').optional(idOrNone),
    };
  }).filter((image) => ID.test(image.id));
}

/** Throws a plain error. */
export function parseLayers(text: string): readonly StoredLayer[] {
  return records(text, (record) => ({
    id: id(record.get('id')),
    parent: record.get('parent').optional(idOrNone),
    diffDigest: record.get('diff-digest').optional(digest),
    tocDigest: record.get('toc-digest').optional(digest),
  }));
}

/** Throws a plain error. */
export function parseContainers(text: string): readonly StoredContainer[] {
  return records(text, (record) => ({ id: id(record.get('id')), layer: id(record.get('layer')) }));
}

function records<T>(text: string, parse: (record: JsonValue) => T): readonly T[] {
  return new JsonValue(JSON.parse(text), 'records').list(MAX_RECORDS, parse);
}

// Ids become parts of paths.
const id = (value: JsonValue): string => value.text((text) => ID.test(text), 'an id');
/** Some writers leave a field empty, others leave it out. */
const idOrNone = (value: JsonValue): string | undefined =>
  value.text((text) => text === '' || ID.test(text), 'an id') || undefined;
const digest = (value: JsonValue): string => value.text((text) => DIGEST.test(text), 'a SHA-256 digest');
const anyText = (value: JsonValue): string => value.text(() => true, 'a text');
