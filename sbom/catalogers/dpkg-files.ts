import { type Cataloger, type Findings, MAX_TEXT_BYTES, textOf } from './cataloger.ts';

/** One file a package, named PACKAGE.list or PACKAGE:ARCHITECTURE.list. */
const LISTS = /^var\/lib\/dpkg\/info\/[^/]+\.list$/;

/** Which files Debian packages have put where, from the lists that dpkg keeps of them. */
export const dpkgFiles: Cataloger = {
  name: 'dpkg-files',
  version: 1,
  maxBytes: MAX_TEXT_BYTES,
  ownsOnly: true,
  matches: (path) => LISTS.test(path),
  catalog(file): Findings {
    const owns = textOf(file)
      .split('\n')
      .flatMap((line) => (line.length > 1 && line.startsWith('/') ? line.slice(1) : []));
    return { packages: [], owns };
  },
};
