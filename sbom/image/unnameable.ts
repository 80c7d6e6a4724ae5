import { type Package, packageKey } from '../package.ts';
import { packageOfUrl } from './package-of-url.ts';
import { parsePackageUrl } from './parse-package-url.ts';

/**
 * The longest package URL that is kept, in bytes: it is indexed together with what advisories know the package by, all of
 * which stands in it, and PostgreSQL indexes at most 2,704 bytes. Real ones have some 200.
 */
export const MAX_PACKAGE_URL_BYTES = 1_200;

export const TOO_LONG = `its package URL would have more than ${MAX_PACKAGE_URL_BYTES} bytes`;
const AMBIGUOUS = 'its package URL would have parts that its type has not';

/**
 * Why a package cannot go by its URL, if so: the URL has to lead back to it, else two packages could have one, and what is
 * known of the one be taken for what is known of the other.
 */
export function unnameable(each: Package, purl: string): string | undefined {
  // All of it is ASCII.
  if (purl.length > MAX_PACKAGE_URL_BYTES) return TOO_LONG;
  const parts = parsePackageUrl(purl);
  const again = parts && packageOfUrl(each.type, parts, undefined);
  return again !== undefined && essence(again) === essence(each) ? undefined : AMBIGUOUS;
}

/**
 * What tells packages apart by whatever URLs say. Of Python's packages all spellings are one; a package is its own source
 * where none is named; and whether its version was ever released is no part of what a package is.
 */
function essence({ type, name, version, arch, source, module }: Package): string {
  const isItself = source?.name === name && source.version === version;
  const spelling = type === 'pypi' ? name.toLowerCase().replaceAll(/[-_.]+/g, '-') : name;
  return packageKey({ type, name: spelling, version, arch, source: isItself ? undefined : source, module });
}
