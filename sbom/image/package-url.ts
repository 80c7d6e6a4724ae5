import type { OsRelease } from '../os-release.ts';
import type { Package, PackageType } from '../package.ts';

/**
 * The package URL (https://github.com/package-url/purl-spec) in the spelling of other scanners, so that results can be
 * compared. `os` is the system that a distribution's package belongs to.
 */
export function packageUrl(each: Package, os?: OsRelease): string {
  const path = pathOf[each.type](each, os).map(encode).join('/');
  const version = each.version === '(devel)' ? '' : `@${encode(each.version)}`;
  return `pkg:${each.type}/${path}${version}${qualifiers(each, os)}`;
}

/** Namespace and name. */
const pathOf: Readonly<Record<PackageType, (each: Package, os: OsRelease | undefined) => string[]>> = {
  deb: ({ name }, os) => (os ? [os.id, name] : [name]),
  golang: ({ name }) => name.split('/').filter((part) => part !== ''),
  npm: ({ name }) => name.split('/').filter((part) => part !== ''),
  pypi: ({ name }) => [normalizePypiName(name)],
};

/** PEP 503: all spellings of a name are one project. */
function normalizePypiName(name: string): string {
  return name.toLowerCase().replace(/[-_.]+/g, '-');
}

function qualifiers(each: Package, os: OsRelease | undefined): string {
  const distro = os && [os.id, os.versionId].filter((part) => part !== undefined).join('-');
  const values = {
    arch: each.arch,
    distro: each.type === 'deb' ? distro : undefined,
    upstream: upstreamOf(each),
  };
  const given = Object.entries(values).flatMap(([key, value]) => (value ? [`${key}=${encode(value)}`] : []));
  return given.length === 0 ? '' : `?${given.join('&')}`;
}

/** The source package where it is not the package itself: what a distribution's advisories are about. */
function upstreamOf({ name, version, source }: Package): string | undefined {
  if (source === undefined || (source.name === name && source.version === version)) return undefined;
  return source.version === version ? source.name : `${source.name}@${source.version}`;
}

/** Percent-encoding, but a colon stays, as the specification wants it and as epochs of versions are read. */
function encode(text: string): string {
  return encodeURIComponent(text)
    .replaceAll('%3A', ':')
    .replace(/[!'()*]/g, (character) => `%${character.charCodeAt(0).toString(16).toUpperCase()}`);
}
