import type { ImagePackage } from './image-contents.ts';
import type { ImageTree } from './image-tree.ts';

/**
 * The packages that the files are of: those that a package manager of the system has put there, those that the file
 * itself proves (a program with what it was built from, an archive of classes), and those in whose own folder it lies
 * (a native part of a package of npm or Python). Files that the image does not have are of none.
 */
export function loadedPackages(
  tree: ImageTree,
  packages: readonly ImagePackage[],
  files: readonly string[],
): ReadonlySet<ImagePackage> {
  if (files.length === 0) return new Set();
  const byName = Map.groupBy(packages, ({ type, name }) => `${type}\n${name}`);
  const byPlace = new Map<string, ImagePackage[]>();
  for (const each of packages) {
    for (const { path } of each.locations) {
      for (const place of [path, ...(ownFolders[each.type]?.(path, each) ?? [])]) {
        const there = byPlace.get(place);
        if (there) there.push(each);
        else byPlace.set(place, [each]);
      }
    }
  }
  const found = files.flatMap((file) => {
    const node = tree.resolve(file);
    if (node?.kind !== 'leaf') return [];
    const { owner } = node;
    const owned = owner ? (byName.get(`${owner.type}\n${owner.name}`) ?? []) : [];
    const ofArch = owned.filter(({ arch }) => owner?.arch === undefined || arch === owner.arch);
    return [...ofArch, ...nearest(byPlace, file.replace(GEM_EXTENSIONS, '$1gems/'))];
  });
  return new Set(found);
}

/** What is known by the file itself, or by the innermost folder around it that is a package's own. */
function nearest(
  byPlace: ReadonlyMap<string, readonly ImagePackage[]>,
  file: string,
): readonly ImagePackage[] {
  for (let end = file.length; end > 0; end = file.lastIndexOf('/', end - 1)) {
    const found = byPlace.get(file.slice(0, end));
    if (found) return found;
  }
  return [];
}

/** Where RubyGems builds what is native, EXTENSIONS/PLATFORM/ABI/GEM-1.0, for the gem in GEMS/GEM-1.0. */
const GEM_EXTENSIONS = /(^|\/)extensions\/[^/]+\/[^/]+\//;

/** The folders that are a package's own, told from the file that proves it. */
const ownFolders: Partial<Record<string, (path: string, each: ImagePackage) => readonly string[]>> = {
  npm: (path) => [folderOf(path)],
  // NAME/specifications/GEM-1.0.gemspec stands beside NAME/gems/GEM-1.0 and its kin.
  gem(path) {
    const at = path.lastIndexOf('specifications/');
    const gem = path.slice(path.lastIndexOf('/') + 1).replace(/\.gemspec$/, '');
    return [`${path.slice(0, Math.max(0, at))}gems/${gem}`];
  },
  // `NAME-1.0.dist-info` stands beside the package, which mostly has the same name, and the libraries brought along.
  pypi(path, { name }) {
    const site = folderOf(folderOf(path));
    const plain = name.toLowerCase().replace(/[-.]+/g, '_');
    return [...new Set([name, plain])].flatMap((each) => [`${site}/${each}`, `${site}/${each}.libs`]);
  },
  // The `release` file of a Java runtime is in its home.
  generic: (path) => (path.endsWith('/release') ? [folderOf(path)] : []),
};

function folderOf(path: string): string {
  return path.slice(0, Math.max(0, path.lastIndexOf('/')));
}
