import type { Fragment } from '../fragment.ts';

/** What an entry takes in memory beside its text: its place in a folder, the text's own header. */
const ENTRY_BYTES = 100;
/** What a package takes: as a layer names it, and as the image holds it. */
const PACKAGE_BYTES = 500;

/** About how many bytes a fragment adds to the memory that the fold of an image takes. */
export function weightOf(fragment: Fragment): number {
  let weight = 0;
  const addPaths = (paths: readonly string[]): void => {
    for (const path of paths) weight += ENTRY_BYTES + path.length;
  };
  for (const paths of [fragment.files, fragment.others, fragment.emptyFolders]) addPaths(paths);
  for (const paths of [fragment.whiteouts, fragment.opaques]) addPaths(paths);
  for (const { path, target } of fragment.symlinks) weight += ENTRY_BYTES + path.length + target.length;
  for (const { path } of fragment.problems) weight += ENTRY_BYTES + path.length;
  for (const { files } of fragment.owners) addPaths(files);
  for (const { path, packages } of fragment.evidence) {
    weight += ENTRY_BYTES + path.length;
    for (const { name, version } of packages) weight += PACKAGE_BYTES + name.length + version.length;
  }
  return weight;
}
