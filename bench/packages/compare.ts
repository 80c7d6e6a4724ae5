import type { ImagePackage } from '@gatehouse/sbom';
import { type Difference, differences } from './differences.ts';

/** What Syft's own JSON says of a package. */
export interface SyftPackage {
  readonly name: string;
  readonly version: string;
  readonly type: string;
  readonly locations?: readonly { readonly path: string }[];
}

/** Of both: `TYPE NAME VERSION` in our words, and where it is. */
type Found = ReadonlyMap<string, readonly string[]>;

export interface Comparison {
  readonly ours: number;
  readonly syft: number;
  /** What one finds and the other does not, counted by the reason. */
  readonly onlyOurs: Readonly<Record<string, number>>;
  readonly onlySyft: Readonly<Record<string, number>>;
  /** What no reason is written for, each with where it is. */
  readonly unexplained: readonly string[];
}

/** Syft's words for types that we call otherwise. */
const types: Readonly<Record<string, string>> = {
  binary: 'generic',
  dotnet: 'nuget',
  'go-module': 'golang',
  'java-archive': 'maven',
  'php-composer': 'composer',
  python: 'pypi',
  'rust-crate': 'cargo',
};

/** By name, version and type. Syft's name of a Java archive is without its group, so that ours is as well. */
export function compare(
  image: string,
  ours: readonly ImagePackage[],
  syft: readonly SyftPackage[],
): Comparison {
  const own = gather(
    ours.map(({ type, name, version, locations }) => ({
      key: keyOf(type, type === 'maven' ? (name.split(':').at(-1) ?? name) : name, version),
      paths: locations.map(({ path }) => path),
    })),
  );
  const other = gather(
    syft.map(({ type, name, version, locations }) => ({
      key: keyOf(types[type] ?? type, name, versionOf(name, version)),
      paths: (locations ?? []).map(({ path }) => path.replace(/^\//, '')),
    })),
  );
  const onlyOurs = without(own, other);
  const onlySyft = without(other, own);
  return {
    ours: own.size,
    syft: other.size,
    onlyOurs: countReasons(image, 'ours', onlyOurs),
    onlySyft: countReasons(image, 'syft', onlySyft),
    unexplained: [...unexplained(image, 'ours', onlyOurs), ...unexplained(image, 'syft', onlySyft)],
  };
}

function gather(found: readonly { readonly key: string; readonly paths: readonly string[] }[]): Found {
  return new Map(
    [...Map.groupBy(found, ({ key }) => key)].map(([key, each]) => [key, each.flatMap(({ paths }) => paths)]),
  );
}

function keyOf(type: string, name: string, version: string): string {
  return `${type} ${name.toLowerCase()} ${version}`;
}

/** Syft's words for versions that we say otherwise. */
function versionOf(name: string, version: string): string {
  if (version === 'UNKNOWN') return '(devel)';
  return name === 'stdlib' ? version.replace(/^go/, '') : version;
}

function without(one: Found, other: Found): Found {
  return new Map([...one].filter(([key]) => !other.has(key)).sort(([a], [b]) => (a < b ? -1 : 1)));
}

function reasonOf(
  image: string,
  by: Difference['by'],
  key: string,
  paths: readonly string[],
): string | undefined {
  const known = differences.find(
    (each) =>
      each.by === by &&
      (each.image ?? image) === image &&
      (each.what?.test(key) ?? true) &&
      (each.where === undefined || paths.every((path) => each.where?.test(path))),
  );
  return known?.reason;
}

function countReasons(image: string, by: Difference['by'], found: Found): Readonly<Record<string, number>> {
  const counts: Record<string, number> = {};
  for (const [key, paths] of found) {
    const reason = reasonOf(image, by, key, paths);
    if (reason !== undefined) counts[reason] = (counts[reason] ?? 0) + 1;
  }
  return counts;
}

function unexplained(image: string, by: Difference['by'], found: Found): readonly string[] {
  return [...found]
    .filter(([key, paths]) => reasonOf(image, by, key, paths) === undefined)
    .map(([key, paths]) => `only ${by}: ${key} (${paths.join(', ')})`);
}
