import { type Cataloger, type Findings, textOf } from './cataloger.ts';

const RELEASE = /(^|\/)release$/;
/** Lists of the modules and of the commits that it was built from take 3 kB. */
const MAX_RELEASE_BYTES = 64 * 1024;

/** The Java runtime itself, from the `release` file in its folder (JEP 223): the base of all that runs Java programs. */
export const jvm: Cataloger = {
  name: 'jvm',
  version: 1,
  maxBytes: MAX_RELEASE_BYTES,
  // Other programs call files so, too, and a larger one is none of Java's.
  matches: (path, { size }) => RELEASE.test(path) && size <= MAX_RELEASE_BYTES,
  catalog(file): Findings | undefined {
    const values = textOf(file).matchAll(/^([A-Z_]+)="([^"\n]*)"\r?$/gm);
    const release = new Map([...values].map(([, key = '', value = '']) => [key, value]));
    // jlink writes little else; all runtimes in wide use are built of OpenJDK.
    const version = release.get('JAVA_VERSION');
    return version ? { packages: [{ type: 'generic', name: 'openjdk', version }] } : undefined;
  },
};
