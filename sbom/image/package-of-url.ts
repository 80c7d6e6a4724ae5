import { type Package, type PackageType, packageTypes } from '../package.ts';
import type { PackageUrlParts } from './parse-package-url.ts';

export function isKnownType(type: string): type is PackageType {
  return packageTypes.some((each) => each === type);
}

/** The package that a URL of a type that catalogers give names; undefined if its parts are not those of the type. */
export function packageOfUrl(
  type: PackageType,
  parts: PackageUrlParts,
  told: Package['source'],
): Package | undefined {
  const name = nameOf[type](parts.namespace, parts.name);
  if (name === undefined) return undefined;
  if (parts.version === undefined) {
    // So programs in Go are named that were built from a work tree.
    return type === 'golang' ? { type, name, version: '(devel)', unreleased: true } : undefined;
  }
  const version = versionOf(type, name, parts);
  const source = sourceOf(type, version, parts.qualifiers.get('upstream')) ?? told;
  const isItself = source?.name === name && source.version === version;
  return {
    type,
    name,
    version,
    arch: parts.qualifiers.get('arch'),
    source: isItself ? undefined : source,
    module: parts.qualifiers.get('rpmmod') ?? parts.qualifiers.get('modularitylabel'),
  };
}

type Naming = (namespace: readonly string[], name: string) => string | undefined;

const alone: Naming = (namespace, name) => (namespace.length === 0 ? name : undefined);
/** The namespace is the system. */
const ofSystem: Naming = (namespace, name) => (namespace.length < 2 ? name : undefined);
const joined =
  (separator: string, most: number): Naming =>
  (namespace, name) =>
    namespace.length > most || namespace.some((part) => part.includes(separator))
      ? undefined
      : [...namespace, name].join(separator);

/** A name as catalogers give it, which `packageUrl` takes apart again. */
const nameOf: Readonly<Record<PackageType, Naming>> = {
  apk: ofSystem,
  cargo: alone,
  composer: joined('/', 1),
  conda: alone,
  deb: ofSystem,
  gem: alone,
  generic: alone,
  golang: joined('/', Number.POSITIVE_INFINITY),
  maven: joined(':', 1),
  npm: joined('/', 1),
  nuget: alone,
  pypi: alone,
  rpm: ofSystem,
};

function versionOf(type: PackageType, name: string, { version = '', qualifiers }: PackageUrlParts): string {
  // Go calls its releases go1.22.3, some tools v1.22.3.
  if (type === 'golang' && name === 'stdlib') return version.replace(/^(?:go|v)(?=\d)/, '');
  const epoch = qualifiers.get('epoch');
  const hasOwn =
    !['deb', 'rpm'].includes(type) || epoch === undefined || epoch === '0' || version.includes(':');
  return hasOwn ? version : `${epoch}:${version}`;
}

/** The source package, as `name`, `name@version` or, of RPM, the name of its file. */
function sourceOf(type: PackageType, version: string, upstream: string | undefined): Package['source'] {
  if (upstream === undefined) return undefined;
  const [, name, release] =
    type === 'rpm' ? (/^(.+)-([^-]+-[^-]+)\.(?:no)?src\.rpm$/.exec(upstream) ?? []) : [];
  if (name !== undefined && release !== undefined) {
    // The epoch is not in the file's name; a source and what is built from it have the same, but for rare ones.
    const colon = version.indexOf(':');
    return { name, version: `${version.slice(0, colon + 1)}${release}` };
  }
  const at = upstream.lastIndexOf('@');
  return at > 0
    ? { name: upstream.slice(0, at), version: upstream.slice(at + 1) }
    : { name: upstream, version };
}
