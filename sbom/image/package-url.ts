import type { OsRelease } from '../os-release.ts';
import { isOfSystem, type Package, type PackageType } from '../package.ts';

/**
 * The package URL (https://github.com/package-url/purl-spec) in the spelling of other scanners, so that results can be
 * compared. `os` is the system that a distribution's package belongs to.
 */
export function packageUrl(each: Package, os?: OsRelease): string {
  const path = pathOf[each.type](each, os).map(encode).join('/');
  const { epoch, version } = versionParts(each);
  const suffix = each.type === 'golang' && version === '(devel)' ? '' : `@${encode(version)}`;
  return `pkg:${each.type}/${path}${suffix}${qualifiers(each, { epoch, os })}`;
}

/** The epoch of an RPM package is a qualifier; that of a Debian one is part of the version. */
function versionParts({ type, version }: Package): { epoch: string | undefined; version: string } {
  const colon = type === 'rpm' ? version.indexOf(':') : -1;
  return { epoch: colon < 0 ? undefined : version.slice(0, colon), version: version.slice(colon + 1) };
}

/** Namespace and name. */
const pathOf: Readonly<Record<PackageType, (each: Package, os: OsRelease | undefined) => string[]>> = {
  apk: ofDistribution,
  cargo: ({ name }) => [name],
  composer: ({ name }) => twoParts(name, '/'),
  conda: ({ name }) => [name],
  deb: ofDistribution,
  gem: ({ name }) => [name],
  generic: ({ name }) => [name],
  golang: ({ name }) => segments(name, name.split('/')),
  maven: ({ name }) => twoParts(name, ':'),
  npm: ({ name }) => twoParts(name, '/'),
  nuget: ({ name }) => [name],
  pypi: ({ name }) => [normalizePypiName(name)],
  rpm: ofRpmDistribution,
};

/** Namespaces of RPM's that are not what os-release calls the system: the specification's and other scanners' words. */
const RPM_NAMESPACES: Readonly<Record<string, string>> = {
  'opensuse-leap': 'opensuse',
  'opensuse-tumbleweed': 'opensuse',
  rhel: 'redhat',
};

function ofRpmDistribution(each: Package, os: OsRelease | undefined): string[] {
  return ofDistribution(each, os && { ...os, id: RPM_NAMESPACES[os.id] ?? os.id });
}

function ofDistribution({ name }: Package, os: OsRelease | undefined): string[] {
  return os ? [os.id, name] : [name];
}

/** A group, vendor or scope, where there is one, and the rest. */
function twoParts(name: string, separator: string): string[] {
  const at = name.indexOf(separator);
  return at < 0 ? [name] : segments(name, [name.slice(0, at), name.slice(at + 1)]);
}

/** A name whose parts cannot stand in a path by themselves is one part as a whole: readers drop what is empty. */
function segments(name: string, parts: string[]): string[] {
  const areSound =
    parts.every((part) => part !== '') && !parts.slice(0, -1).some((part) => part.includes('/'));
  return areSound ? parts : [name];
}

/** PEP 503: all spellings of a name are one project. */
function normalizePypiName(name: string): string {
  return name.toLowerCase().replace(/[-_.]+/g, '-');
}

function qualifiers(
  each: Package,
  { epoch, os }: { epoch: string | undefined; os: OsRelease | undefined },
): string {
  const distro = os && [os.id, os.versionId].filter((part) => part !== undefined).join('-');
  const values = {
    arch: each.arch,
    distro: isOfSystem(each) ? distro : undefined,
    epoch,
    rpmmod: each.module,
    upstream: upstreamOf(each),
  };
  const given = Object.entries(values).flatMap(([key, value]) => (value ? [`${key}=${encode(value)}`] : []));
  return given.length === 0 ? '' : `?${given.join('&')}`;
}

/** The source package where it is not the package itself: what a distribution's advisories are about. */
function upstreamOf({ name, version, source }: Package): string | undefined {
  if (source === undefined || (source.name === name && source.version === version)) return undefined;
  // Behind the last @ is the version.
  const isPlain = source.version === version && !source.name.includes('@');
  return isPlain ? source.name : `${source.name}@${source.version}`;
}

/** Percent-encoding, but a colon stays, as the specification wants it and as epochs of versions are read. */
export function encode(text: string): string {
  return encodeURIComponent(text)
    .replaceAll('%3A', ':')
    .replace(/[!'()*]/g, (character) => `%${character.charCodeAt(0).toString(16).toUpperCase()}`);
}
