import { compareGo, isGoVersion } from '../versions/go.ts';
import { type Ecosystem, qualifiedName } from './ecosystem.ts';

/**
 * Go's database names modules by their path, and the standard library `stdlib`. What has no version to compare is left
 * out: `(devel)`, the empty text, a Go built from its tip.
 */
export const go: Ecosystem = {
  packageType: 'golang',
  hasReleases: false,
  compare: compareGo,
  canonicalName: (name) => name,
  ownIds: ['GO-'],
  keyOf(found) {
    if (!isGoVersion(found.version)) return undefined;
    return { ecosystem: 'Go', name: qualifiedName(found), version: found.version };
  },
};
