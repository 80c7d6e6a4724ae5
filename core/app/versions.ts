import { CATALOGER_VERSION } from '@gatehouse/sbom';
import { hasRoot } from '../datastore/container-roots.ts';
import type { Sql } from '../datastore/database.ts';
import type { ImageRow } from '../datastore/images.ts';
import { unknownLayers } from '../datastore/layers.ts';

// Agents name the version of the catalogers that they read layers by. The core has one of its own, and ADR 0022 says what
// another one counts.

/** Whether an image may be composed of what this version read: any may where none has read it, then only the own one. */
export function mayReplace(
  { source, composedBy }: Pick<ImageRow, 'source' | 'composedBy'>,
  catalogerVersion: string,
): boolean {
  return catalogerVersion === CATALOGER_VERSION || source !== 'layers' || composedBy === catalogerVersion;
}

/** The versions that count for an image that is composed by one, the first of them first. */
export function versionsBehind(catalogerVersion: string): readonly string[] {
  return catalogerVersion === CATALOGER_VERSION ? [CATALOGER_VERSION] : [CATALOGER_VERSION, catalogerVersion];
}

/** Whether this version has not read all that the image is composed of by another one. */
export async function saysLess(sql: Sql, image: ImageRow, catalogerVersion: string): Promise<boolean> {
  const { digest, diffIds, source, composedBy } = image;
  if (source !== 'layers' || composedBy === null || composedBy === catalogerVersion) return false;
  const unread = await unknownLayers(sql, diffIds, [catalogerVersion], { orUnreadable: true });
  if (unread.length === 0) return false;
  const unreadBefore = new Set(await unknownLayers(sql, diffIds, [composedBy], { orUnreadable: true }));
  if (unread.some((diffId) => !unreadBefore.has(diffId))) return true;
  return (await hasRoot(sql, digest, composedBy)) && !(await hasRoot(sql, digest, catalogerVersion));
}
