import type { Package } from '../package.ts';

/** What RPM knows of a package, under its own names; absent values are undefined, empty or `(none)`. */
export interface RpmFields {
  readonly name: string;
  readonly epoch: string | undefined;
  /** VERSION-RELEASE: neither has a hyphen. */
  readonly version: string;
  readonly arch: string | undefined;
  /** The name of the file that it was built from, NAME-VERSION-RELEASE.src.rpm. */
  readonly sourceRpm: string | undefined;
  readonly module: string | undefined;
}

/** Keys that signatures are checked with lie among the packages, under this name. */
const KEY = 'gpg-pubkey';
/** The second is of packages whose sources may not be passed on. */
const SOURCE_SUFFIXES = ['.src.rpm', '.nosrc.rpm'];

/** A package, or undefined for a key. */
export function toRpmPackage(fields: RpmFields): Package | undefined {
  if (fields.name === KEY) return undefined;
  const epoch = given(fields.epoch);
  const versionOf = (text: string): string => (epoch && epoch !== '0' ? `${epoch}:${text}` : text);
  const source = splitSource(given(fields.sourceRpm) ?? '');
  return {
    type: 'rpm',
    name: fields.name,
    version: versionOf(fields.version),
    arch: given(fields.arch),
    // The name of a file has no epoch; it is that of what was built from it, but for packages that set their own.
    source: source && { name: source.name, version: versionOf(source.version) },
    module: given(fields.module),
  };
}

function given(text: string | undefined): string | undefined {
  return text === '' || text === '(none)' ? undefined : text;
}

/** Names have hyphens, too, so that the text is taken apart from its end. */
function splitSource(file: string): { name: string; version: string } | undefined {
  const suffix = SOURCE_SUFFIXES.find((each) => file.endsWith(each));
  if (suffix === undefined) return undefined;
  const text = file.slice(0, -suffix.length);
  const beforeRelease = text.lastIndexOf('-');
  const beforeVersion = text.lastIndexOf('-', beforeRelease - 1);
  if (beforeRelease < 1 || beforeVersion < 1) return undefined;
  return { name: text.slice(0, beforeVersion), version: text.slice(beforeVersion + 1) };
}
