import { comparePep440 } from '../versions/pep440.ts';
import type { Ecosystem } from './ecosystem.ts';

/** PEP 503: case does not matter, and runs of `-`, `_` and `.` are one hyphen. */
function normalizedName(name: string): string {
  return name.replaceAll(/[-_.]+/g, '-').toLowerCase();
}

export const pypi: Ecosystem = {
  packageType: 'pypi',
  hasReleases: false,
  compare: comparePep440,
  canonicalName: normalizedName,
  ownIds: ['PYSEC-'],
  keyOf: (found) => ({ ecosystem: 'PyPI', name: normalizedName(found.name), version: found.version }),
};
