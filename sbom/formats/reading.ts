import type { JsonValue } from '../json-shape.ts';
import type { OsRelease } from '../os-release.ts';

/** What a document says, in whichever format, before it is held against what we know of packages. */
export interface Reading {
  readonly specVersion: string;
  readonly name: string | undefined;
  readonly imageId: string | undefined;
  readonly digests: readonly string[];
  readonly system: OsRelease | undefined;
  readonly components: readonly Component[];
}

/** What the document takes for a package, or may. */
export interface Component {
  /** Where it stands in the document. */
  readonly where: string;
  readonly name: string;
  readonly version: string | undefined;
  readonly purl: string | undefined;
  /** A tool's own word for the kind of package, where there is no package URL. */
  readonly kind: string | undefined;
  readonly source: { readonly name: string; readonly version: string } | undefined;
  readonly places: readonly Place[];
}

export interface Place {
  readonly path: string;
  readonly diffId: string | undefined;
}

/** An image with 30,000 packages is a very large one; a document may tell each a few times. */
export const MAX_COMPONENTS = 100_000;
/** A package stands in one file, or in a copy for each program that brings it. */
export const MAX_PLACES = 10_000;

const DIGEST = /sha256:[0-9a-f]{64}/;

/** The first digest in a text, be it `repository@sha256:…` or a package URL of an image. */
export function digestIn(text: string | undefined): string | undefined {
  // A package URL may encode the colon.
  return DIGEST.exec(text?.replace(/sha256%3a/i, 'sha256:') ?? '')?.[0];
}

/** Paths as catalogers give them: of the image's root, without a slash at the beginning. */
export function placeOf(path: string, layer: string | undefined): Place {
  return { path: path.replace(/^(?:\.?\/)+/, ''), diffId: digestIn(layer) };
}

/** Descriptions and licences can be long; of what is read here nothing is. */
const MAX_TEXT = 65_536;

export function isText(text: string): boolean {
  return text.length <= MAX_TEXT;
}

/** A member that is a text with something in it. */
export function textIn(value: JsonValue, key: string): string | undefined {
  return value.get(key).optional((text) => text.text(isText, 'a text')) || undefined;
}

/** The items of a member that is a list; none if there is no such member. */
export function listIn(value: JsonValue, key: string, most: number): JsonValue[] {
  return value.get(key).optional((list) => list.list(most, (each) => each)) ?? [];
}
