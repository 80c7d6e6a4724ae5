import type { ImageContents, ImagePackage, ImageProblem, Location } from '../image/image-contents.ts';
import { isKnownType, packageOfUrl } from '../image/package-of-url.ts';
import { encode, packageUrl } from '../image/package-url.ts';
import { type PackageUrlParts, parsePackageUrl } from '../image/parse-package-url.ts';
import { MAX_PACKAGE_URL_BYTES, TOO_LONG, unnameable } from '../image/unnameable.ts';
import type { OsRelease } from '../os-release.ts';
import { isPackageText, isSound } from '../package.ts';
import { componentKinds } from './component-kinds.ts';
import { commonSystem, isSameSystem, systemOfUrl } from './document-systems.ts';
import type { Component, Place, Reading } from './reading.ts';

/** What can be told of a document's components, and what cannot. */
export interface Gathered {
  readonly contents: ImageContents;
  readonly diffIds: readonly string[];
}

/**
 * Makes packages of components, each named as a cataloger would have it: so one and the same package is one, whoever
 * tells of it, and nobody can have a name of his own choosing looked up in its place.
 */
export function gatherComponents({ components, system }: Reading): Gathered {
  const named = components.map((component) => ({ component, parts: partsOf(component) }));
  const os = commonSystem(
    named.map(({ parts }) => parts && systemOfUrl(parts)),
    system,
  );
  const layers = new LayerNames();
  const packages = new Map<string, ImagePackage>();
  const problems: ImageProblem[] = [];
  for (const { component, parts } of named) {
    const found = parts ? identify(component, parts, os) : reasonWithoutParts(component);
    if (typeof found === 'string') {
      problems.push(leftOut(component, found));
      continue;
    }
    const locations = component.places.flatMap((place) => layers.locate(place));
    packages.set(found.purl, withPlaces(packages.get(found.purl) ?? found, locations));
  }
  return {
    contents: {
      os,
      packages: [...packages.values()].sort((a, b) => (a.purl < b.purl ? -1 : 1)),
      problems,
    },
    diffIds: layers.diffIds,
  };
}

function leftOut({ where, name }: Component, reason: string): ImageProblem {
  return { layer: -1, path: where, code: 'evidence_invalid', message: `${name} is left out: ${reason}` };
}

function partsOf({ purl, kind, name, version }: Component): PackageUrlParts | undefined {
  if (purl !== undefined) return parsePackageUrl(purl);
  const type = componentKinds[kind ?? ''];
  if (type === undefined || version === undefined || !isPackageText(version)) return undefined;
  return parsePackageUrl(packageUrl({ type, name, version }));
}

function reasonWithoutParts({ purl }: Component): string {
  return purl === undefined ? 'it has no package URL' : 'its package URL is not one';
}

/** The package, or why there is none. */
function identify(
  component: Component,
  parts: PackageUrlParts,
  os: OsRelease | undefined,
): ImagePackage | string {
  if (!isKnownType(parts.type)) return unknownPackage(parts);
  const own = systemOfUrl(parts);
  if (own && os && !isSameSystem(own, os))
    return `it is of another system than ${os.id} ${os.versionId ?? ''}`.trim();
  const found = packageOfUrl(parts.type, parts, component.source);
  if (!found)
    return parts.version === undefined
      ? 'it has no version'
      : 'its package URL has parts that its type has not';
  if (!isSound(found)) return 'its name or version is too long, or cannot be printed';
  const purl = packageUrl(found, os);
  return unnameable(found, purl) ?? { ...found, purl, layer: -1, locations: [] };
}

/** One of a type of which we know nothing: it is shown, and never judged. */
function unknownPackage({
  type,
  namespace,
  name,
  version,
  qualifiers,
}: PackageUrlParts): ImagePackage | string {
  if (version === undefined) return 'it has no version';
  const path = [...namespace, name];
  const given = [...qualifiers]
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .map(([key, value]) => `${encode(key)}=${encode(value)}`);
  const purl = `pkg:${type}/${path.map(encode).join('/')}@${encode(version)}${given.length > 0 ? `?${given.join('&')}` : ''}`;
  if (![...path, version].every(isPackageText))
    return 'its name or version is too long, or cannot be printed';
  if (purl.length > MAX_PACKAGE_URL_BYTES) return TOO_LONG;
  return { type, name: path.join('/'), version, purl, layer: -1, locations: [] };
}

function withPlaces(each: ImagePackage, more: readonly Location[]): ImagePackage {
  const places = new Map(
    [...each.locations, ...more].map((place) => [`${place.layer}\n${place.path}`, place]),
  );
  const locations = [...places.values()].sort((a, b) => (a.path < b.path ? -1 : 1));
  return { ...each, locations, layer: locations[0]?.layer ?? -1 };
}

/** The layers that a document names, by the order in which it does: it does not say which lies on which. */
class LayerNames {
  readonly #indices = new Map<string, number>();

  get diffIds(): readonly string[] {
    return [...this.#indices.keys()];
  }

  locate({ path, diffId }: Place): Location[] {
    if (!isPackageText(path)) return [];
    if (diffId === undefined) return [{ path, layer: -1, owned: false }];
    const layer = this.#indices.get(diffId) ?? this.#indices.size;
    this.#indices.set(diffId, layer);
    return [{ path, layer, owned: false }];
  }
}
