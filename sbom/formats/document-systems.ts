import type { PackageUrlParts } from '../image/parse-package-url.ts';
import type { OsRelease } from '../os-release.ts';
import { isOfSystem } from '../package.ts';

/** What tools call a system, where that is not the ID of its os-release. */
const ids: Readonly<Record<string, string>> = {
  alma: 'almalinux',
  amazon: 'amzn',
  'cbl-mariner': 'mariner',
  'opensuse.leap': 'opensuse-leap',
  'opensuse.tumbleweed': 'opensuse-tumbleweed',
  oracle: 'ol',
  redhat: 'rhel',
  'suse linux enterprise micro': 'sle-micro',
  'suse linux enterprise server': 'sles',
};

/** Debian's os-release says 12 where its debian_version, which Trivy reads, says 12.5; its advisories are by the former. */
const majorOnly: ReadonlySet<string> = new Set(['debian']);

/** A system as its os-release would name it. */
export function systemNamed({ id, versionId, prettyName }: OsRelease): OsRelease {
  const known = ids[id.toLowerCase()] ?? id.toLowerCase();
  const version = majorOnly.has(known) ? versionId?.replace(/^(\d+)[ .].*$/s, '$1') : versionId;
  return { id: known, versionId: version, prettyName };
}

/** The system that a package URL names by its namespace and its qualifier `distro`; the latter has many forms. */
export function systemOfUrl({ type, namespace, qualifiers }: PackageUrlParts): OsRelease | undefined {
  if (!isOfSystem({ type })) return undefined;
  const [family] = namespace;
  const distro = qualifiers.get('distro');
  if (distro === undefined || distro === family)
    return family === undefined ? undefined : systemNamed({ id: family });
  const rest = family !== undefined && distro.startsWith(`${family}-`) ? distro.slice(family.length + 1) : '';
  // What follows is a part of the name in opensuse-leap-15.6.
  if (rest !== '' && !/^(leap|tumbleweed)\b/.test(rest))
    return systemNamed({ id: family ?? '', versionId: rest });
  // Trivy leaves Alpine's name out; Syft's has another spelling than the namespace, as rhel-9.3 of redhat.
  const [, id = family ?? '', versionId] = /^(?:(.+?)-)?(\d.*)$/s.exec(distro) ?? [];
  if (versionId !== undefined && id !== '') return systemNamed({ id, versionId });
  return systemNamed({ id: family ?? distro });
}

/** The one that most of the packages are of, with a version if any says one; else what the document says. */
export function commonSystem(
  systems: readonly (OsRelease | undefined)[],
  said: OsRelease | undefined,
): OsRelease | undefined {
  const named = said && systemNamed(said);
  const known = systems.filter((each) => each !== undefined);
  const versioned = known.filter(({ versionId }) => versionId !== undefined);
  const votes = Map.groupBy(versioned, ({ id, versionId }) => `${id}\n${versionId}`);
  const [most] = [...votes.values()].sort((a, b) => b.length - a.length);
  const [first] = most ?? [];
  if (first === undefined) return named ?? known[0];
  return named && isSameSystem(named, first) ? { ...first, prettyName: named.prettyName } : first;
}

export function isSameSystem(a: OsRelease, b: OsRelease): boolean {
  return (
    a.id === b.id && (a.versionId === undefined || b.versionId === undefined || a.versionId === b.versionId)
  );
}
