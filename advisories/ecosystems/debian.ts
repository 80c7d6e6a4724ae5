import { compareDpkg } from '../versions/dpkg.ts';
import type { Ecosystem } from './ecosystem.ts';

/**
 * Debian's advisories name source packages and their versions, release by release. A binary package can be versioned
 * apart from its source (`1:1.2.3-4+b1` from `1.2.3-4`), so the source's version is the one that is compared.
 * Derivatives patch under versions of their own and are not held against Debian's advisories; neither are testing and
 * unstable, which have no VERSION_ID.
 */
export const debian: Ecosystem = {
  packageType: 'deb',
  hasReleases: true,
  compare: compareDpkg,
  canonicalName: (name) => name,
  ownIds: ['DSA-', 'DLA-', 'DEBIAN-CVE-'],
  keyOf(found, system) {
    if (system?.id !== 'debian' || !/^\d+$/.test(system.versionId ?? '')) return undefined;
    const { name, version } = found.source ?? found;
    return { ecosystem: `Debian:${system.versionId}`, name, version };
  },
};
