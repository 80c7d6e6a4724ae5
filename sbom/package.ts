/** The types of package URLs, https://github.com/package-url/purl-spec, that catalogers give. */
export const packageTypes = [
  'apk',
  'cargo',
  'composer',
  'conda',
  'deb',
  'gem',
  'generic',
  'golang',
  'maven',
  'npm',
  'nuget',
  'pypi',
  'rpm',
] as const;
export type PackageType = (typeof packageTypes)[number];

/** One package as its evidence names it: nothing is normalised here, see `packageUrl` for the common form. */
export interface Package {
  readonly type: PackageType;
  /**
   * With its scope (`@babel/core`), its vendor (`monolog/monolog`) or its group (`org.slf4j:slf4j-api`), or as a whole
   * module path (`golang.org/x/text`).
   */
  readonly name: string;
  /** Of RPM as EPOCH:VERSION-RELEASE, the epoch left out where it is 0. */
  readonly version: string;
  readonly arch?: string | undefined;
  /** The source package that a distribution built it from; its advisories name that one. */
  readonly source?: { readonly name: string; readonly version: string } | undefined;
  /** The module stream that an RPM package was built for, as NAME:STREAM:VERSION:CONTEXT. */
  readonly module?: string | undefined;
  /** The version names no release, as `(devel)` of a Go program built from a work tree: advisories cannot match it. */
  readonly unreleased?: true | undefined;
}

const systemTypes: ReadonlySet<string> = new Set(['apk', 'deb', 'rpm']);

/** Whether it is a package of an operating system, made for one release of it. */
export function isOfSystem({ type }: { readonly type: string }): boolean {
  return systemTypes.has(type);
}

/** A package of an operating system as a list of its files names it: no two with one name are there in one build each. */
export interface PackageName {
  readonly type: PackageType;
  readonly name: string;
  readonly arch?: string | undefined;
}

/** A text that tells two names apart exactly if they differ, and by which they are ordered. */
export function packageNameKey({ type, name, arch = '' }: PackageName): string {
  return `${type}\n${name}\n${arch}`;
}

/** Names and versions are tens of characters; longer ones are no package and would only bloat every store. */
const MAX_PACKAGE_TEXT = 1024;

/** Whether a text can be part of a package: neither empty nor endless, nor one that could not be printed or encoded. */
export function isPackageText(text: string): boolean {
  return text.length > 0 && text.length <= MAX_PACKAGE_TEXT && text.isWellFormed() && !/\p{Cc}/u.test(text);
}

/** Whether all texts of a package are sound; catalogers take them from files that anyone may have written. */
export function isSound({ name, version, arch, source, module }: Package): boolean {
  return [name, version, arch, source?.name, source?.version, module].every(
    (text) => text === undefined || isPackageText(text),
  );
}

/** A text that tells two packages apart exactly if they differ, and by which they are ordered. */
export function packageKey(each: Package): string {
  const { type, name, version, arch = '', source, module = '', unreleased = '' } = each;
  return [type, name, version, arch, source?.name ?? '', source?.version ?? '', module, unreleased].join(
    '\n',
  );
}
