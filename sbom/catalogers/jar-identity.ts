import type { Package } from '../package.ts';
import { knownGroup, publishedName } from './jar-groups.ts';
import { type JarName, parseJarName } from './jar-names.ts';
import type { Pom } from './jar-pom.ts';

/** What an archive says of itself. */
export interface JarFacts {
  /** See `archiveHint`. */
  readonly hint: string;
  readonly manifest: ReadonlyMap<string, string>;
  readonly poms: readonly Pom[];
}

interface Identity {
  readonly group: string | undefined;
  readonly artifact: string;
  readonly version: string;
}

/**
 * The packages in the classes of one archive, without those of the archives in it. What Maven says of itself counts
 * first: one artifact is the archive, several are what was put together in it. The manifest and the file name say the
 * rest: for archives of other builders, and where Maven's artifacts are only those that were put into a larger one.
 */
export function jarPackages({ hint, manifest, poms }: JarFacts): readonly Package[] {
  // A module for New Relic's agent: it is named after the library that it observes, of which nothing is in it.
  if (manifest.has('weave-classes')) return [];
  const named = withSymbolicName(parseJarName(hint), hint, manifest);
  const own = identify(named, manifest);
  const isNamed = ({ group, artifact }: Pom): boolean =>
    artifact === named.artifact ||
    artifact === own?.artifact ||
    [artifact, `${group}.${artifact}`].some((name) => beginsWith(hint, name));
  const found = poms.flatMap((pom): Identity[] => {
    const known = pom.version ?? (isNamed(pom) ? (named.version ?? own?.version) : undefined);
    return known === undefined ? [] : [{ ...pom, version: known }];
  });
  // Where the folder says what the archive is published as, one artifact in it may be another one.
  const isOnly = found.length === 1 && named.group === undefined;
  const isOwnAmong = isOnly || poms.some(isNamed);
  return [...found, ...(own && !isOwnAmong ? [own] : [])].map(toPackage);
}

/** Whether the last name of the archive is that of an artifact with whatever version. */
function beginsWith(hint: string, artifact: string): boolean {
  const rest = hint.slice(hint.indexOf('/') + 1);
  return rest.startsWith(`${artifact}-`) && /^\d/.test(rest.slice(artifact.length + 1));
}

/**
 * `org.apache.servicemix.specs.jaxb-api-2.2-2.9.0.jar`: the name that OSGi has for it tells which of the numbers belong
 * to the artifact.
 */
function withSymbolicName(named: JarName, hint: string, manifest: ReadonlyMap<string, string>): JarName {
  const artifact = symbolicName(manifest) ?? '';
  const { artifact: found, version } = named;
  if (version === undefined || artifact.length <= found.length || !hint.startsWith(`${artifact}-`))
    return named;
  const rest = `${found}-${version}`.slice(artifact.length + 1);
  return /^\d/.test(rest) ? { artifact, version: rest } : named;
}

function toPackage({ group, artifact, version }: Identity): Package {
  return { type: 'maven', name: group === undefined ? artifact : `${group}:${artifact}`, version };
}

function identify(named: JarName, manifest: ReadonlyMap<string, string>): Identity | undefined {
  const trusted = isOf(named, manifest) ? manifest : new Map<string, string>();
  const version = named.version ?? versionsIn(trusted)[0];
  const titled = parseTitle(trusted.get('implementation-title') ?? '');
  const artifact = artifactOf(named, trusted, titled.artifact);
  if (version === undefined || artifact === undefined) return undefined;
  const group = named.group ?? titled.group ?? knownGroup(artifact, version) ?? groupIn(trusted, artifact);
  return { group, artifact, version };
}

/**
 * Whether a manifest is about the archive that it is in: those who put several archives into one may keep the manifest
 * of the first.
 */
function isOf({ version }: JarName, manifest: ReadonlyMap<string, string>): boolean {
  const stated = versionsIn(manifest);
  return version === undefined || stated.length === 0 || stated.some((each) => agree(each, version));
}

/** `1.68.0` and `31.1.0.jre` of OSGi are `1.68` and `31.1-jre`. */
function agree(one: string, other: string): boolean {
  return numbersOf(one) === numbersOf(other);
}

function numbersOf(version: string): string {
  const numbers = (/^\d+(\.\d+)*/.exec(version)?.[0] ?? version).split('.');
  const last = numbers.findLastIndex((each) => !/^0+$/.test(each));
  return numbers.slice(0, last + 1).join('.');
}

const VERSIONS = ['plugin-version', 'implementation-version', 'bundle-version'] as const;

function versionsIn(manifest: ReadonlyMap<string, string>): readonly string[] {
  return VERSIONS.map((key) => manifest.get(key) ?? '').filter((each) => /^v?\d[\w.+-]*$/.test(each));
}

function artifactOf(
  named: JarName,
  manifest: ReadonlyMap<string, string>,
  title: string | undefined,
): string | undefined {
  if (named.version !== undefined) return named.artifact;
  const published = publishedName(named.artifact, symbolicName(manifest));
  if (published !== undefined) return published;
  const candidates = [manifest.get('short-name'), title, symbolicName(manifest), named.artifact];
  return candidates.find((each) => each !== undefined && isArtifact(each));
}

function isArtifact(text: string): boolean {
  return /^[A-Za-z][\w.-]*$/.test(text);
}

/** Some builders put `group#artifact;version` there, others the artifact, and most people a name for people. */
function parseTitle(title: string): { group?: string | undefined; artifact?: string | undefined } {
  const [, group, artifact] = /^([\w.-]+)[#:]([\w.-]+)(?:[;:]|$)/.exec(title) ?? [];
  return artifact === undefined ? { artifact: title } : { group, artifact };
}

/** Bundle-SymbolicName may carry directives. */
function symbolicName(manifest: ReadonlyMap<string, string>): string | undefined {
  return manifest.get('bundle-symbolicname')?.split(';')[0]?.trim();
}

/** A group is a domain backwards; the oldest are named like their only artifact. */
const GROUP = /^[A-Za-z][\w-]*(\.[\w-]+)+$/;

function groupIn(manifest: ReadonlyMap<string, string>, artifact: string): string | undefined {
  const symbolic = symbolicName(manifest) ?? '';
  const prefix = symbolic.endsWith(`.${artifact}`) ? symbolic.slice(0, -artifact.length - 1) : undefined;
  const candidates = [manifest.get('group-id'), manifest.get('implementation-vendor-id'), prefix];
  return candidates.find((each) => each !== undefined && (GROUP.test(each) || each === artifact));
}
