import { isPackageText, type PackageName } from '../package.ts';
import { type Cataloger, type Findings, MAX_TEXT_BYTES, textOf } from './cataloger.ts';

/**
 * One file a package, named PACKAGE.list or PACKAGE:ARCHITECTURE.list; in images without dpkg itself PACKAGE.md5sums,
 * with a checksum before each file.
 */
const LISTS = /^var\/lib\/dpkg\/(info\/[^/]+\.list|status\.d\/[^/]+\.md5sums)$/;
const LISTED = /^(?:\/|[0-9a-f]{32} {2}(?:\.?\/)?)(.+)$/;

/** Which files Debian packages have put where, from the lists that dpkg or the maker of the image keeps of them. */
export const dpkgFiles: Cataloger = {
  name: 'dpkg-files',
  version: 3,
  maxBytes: MAX_TEXT_BYTES,
  ownsOnly: true,
  matches: (path) => LISTS.test(path),
  hint: (path) => path.slice(path.lastIndexOf('/') + 1),
  catalog(file): Findings {
    const paths = textOf(file)
      .split('\n')
      .flatMap((line) => LISTED.exec(line)?.[1] ?? []);
    return { packages: [], owns: [{ owner: ownerOf(file.hint), paths }] };
  },
};

/** Whom the name of a list names: packages that can be there for several architectures have theirs in it. */
function ownerOf(file: string): PackageName | undefined {
  const [name = '', arch] = file.replace(/\.(list|md5sums)$/, '').split(':');
  return isPackageText(name) && (arch === undefined || isPackageText(arch))
    ? { type: 'deb', name, arch }
    : undefined;
}
