import type { VersionOrder } from '../versions/order.ts';

/** A package as a cataloger found it: the parts of it that decide which advisories speak of it. */
export interface CatalogedPackage {
  /** The type in the package's URL: `deb`, `npm`, `pypi`, `golang`. */
  readonly type: string;
  /** An npm scope, or the path of a Go module before its last part, where the name does not hold it already. */
  readonly namespace?: string | undefined;
  readonly name: string;
  readonly version: string;
  /** The source package that a distribution built it from. */
  readonly source?: { readonly name: string; readonly version: string } | undefined;
  /**
   * The version is only a placeholder, as that of a Go program built from an untagged tree: `v0.0.0-…` would lie below
   * every fix. A dependency with such a version truly has no tag, so the version alone does not tell.
   */
  readonly unreleased?: boolean | undefined;
}

/** The `ID` and `VERSION_ID` of os-release. */
export interface OperatingSystem {
  readonly id: string;
  readonly versionId?: string | undefined;
}

/** What advisories are looked up by: the names are those of the OSV schema, and `version` is what their ranges mean. */
export interface PackageKey {
  /** With its release where the ecosystem has releases: `npm`, `Debian:12`. */
  readonly ecosystem: string;
  readonly name: string;
  readonly version: string;
}

/** All that the rest of this package knows of one ecosystem of the OSV schema. */
export interface Ecosystem {
  /** The one type of package that its advisories speak of. */
  readonly packageType: string;
  /**
   * Whether its names carry a release, as `Debian:12` does. The bare name is then never matched: `Debian` alone would
   * hold a package against the fixes of every release at once.
   */
  readonly hasReleases: boolean;
  readonly compare: VersionOrder;
  /** The one spelling of a package name, where the ecosystem takes several for the same. */
  readonly canonicalName: (name: string) => string;
  /** How ids of its own database begin; such an advisory is preferred to others on the same flaw. */
  readonly ownIds: readonly string[];
  /** The key of a package of its type, if advisories can be held against it. */
  readonly keyOf: (found: CatalogedPackage, system: OperatingSystem | undefined) => PackageKey | undefined;
}

/** Namespace and name in one, as npm and Go write them. */
export function qualifiedName(found: CatalogedPackage): string {
  return found.namespace ? `${found.namespace}/${found.name}` : found.name;
}
