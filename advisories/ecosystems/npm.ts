import { compareSemver } from '../versions/semver.ts';
import { type Ecosystem, qualifiedName } from './ecosystem.ts';

/** Names are case-sensitive: the registry still serves some from before it asked for lower case. */
export const npm: Ecosystem = {
  packageType: 'npm',
  hasReleases: false,
  compare: compareSemver,
  canonicalName: (name) => name,
  ownIds: ['GHSA-', 'MAL-'],
  keyOf: (found) => ({ ecosystem: 'npm', name: qualifiedName(found), version: found.version }),
};
