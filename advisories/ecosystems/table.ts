import { AdvisoryError } from '../errors.ts';
import { debian } from './debian.ts';
import type { CatalogedPackage, Ecosystem, OperatingSystem, PackageKey } from './ecosystem.ts';
import { go } from './go.ts';
import { npm } from './npm.ts';
import { pypi } from './pypi.ts';

/** Every ecosystem that can be matched, by the name that the OSV schema and the folders of the feeds give it. */
const table: ReadonlyMap<string, Ecosystem> = new Map([
  ['Debian', debian],
  ['npm', npm],
  ['PyPI', pypi],
  ['Go', go],
]);

/** The names of the table; a feed of any other ecosystem is not read. */
export const ecosystemNames: readonly string[] = [...table.keys()];

/** The ecosystem of a name with or without a release; undefined if it is not known, or a release lacks or is too much. */
export function findEcosystem(name: string): Ecosystem | undefined {
  const colon = name.indexOf(':');
  const found = table.get(colon < 0 ? name : name.slice(0, colon));
  return found?.hasReleases === colon > 0 ? found : undefined;
}

/**
 * Negative if version `a` is older than `b` in the ecosystem, positive if newer, 0 if it takes them for the same.
 * Throws `ecosystem_unknown`.
 */
export function compareVersions(ecosystem: string, a: string, b: string): number {
  const found = findEcosystem(ecosystem);
  if (found !== undefined) return found.compare(a, b);
  throw new AdvisoryError('ecosystem_unknown', `versions of '${ecosystem}' cannot be compared`, {
    hint: `Known are ${ecosystemNames.join(', ')}; where an ecosystem has releases its name ends in one, as Debian:12.`,
  });
}

/**
 * What to look a cataloged package up by. Empty for a package that no advisory can be held against: of an unknown type
 * or system, or without a version that means anything.
 */
export function packageKeys(
  found: CatalogedPackage,
  system: OperatingSystem | undefined,
): readonly PackageKey[] {
  if (found.unreleased) return [];
  return [...table.values()]
    .filter((each) => each.packageType === found.type)
    .map((each) => each.keyOf(found, system))
    .filter((key) => key !== undefined);
}
