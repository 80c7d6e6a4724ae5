import type { Package } from '../package.ts';
import { EvidenceFault } from './cataloger.ts';

/** One module of a program: its path and version as the linker wrote them. */
interface Module {
  readonly path: string;
  readonly version: string;
  readonly isMain: boolean;
}

/** Go 1.24 and later stamp a work tree with this or a pseudo-version made of it; neither was ever released. */
const UNRELEASED = /^(|\(devel\)|v0\.0\.0([-+].*)?)$/;
const LOCAL_PATH = /^\.{0,2}\//;

/**
 * The modules in the lines of Go's build information, `mod` for the program's own, `dep` for each other one; `=>`
 * after one of them says what was built in its place. Throws for lines that no linker writes.
 */
export function parseModules(text: string): readonly Package[] {
  const modules: Module[] = [];
  for (const line of text.split('\n')) {
    const [word, path, version] = line.split('\t');
    if (word !== 'mod' && word !== 'dep' && word !== '=>') continue;
    if (!path) throw new EvidenceFault(`a line '${word}' has no module`);
    const replaced = word === '=>' ? modules.pop() : undefined;
    if (word === '=>' && replaced === undefined)
      throw new EvidenceFault('a replacement stands before all modules');
    modules.push(
      replaced
        ? replace(replaced, path, version ?? '')
        : { path, version: version ?? '', isMain: word === 'mod' },
    );
  }
  return modules.map(toPackage);
}

/** A folder in place of a module is a changed copy of it: its name stays, and no version is known. */
function replace(module: Module, path: string, version: string): Module {
  return LOCAL_PATH.test(path) ? { ...module, version: '(devel)' } : { ...module, path, version };
}

function toPackage({ path, version, isMain }: Module): Package {
  const unreleased = version === '' || version === '(devel)' || (isMain && UNRELEASED.test(version));
  const name = { type: 'golang', name: path, version: version || '(devel)' } as const;
  return unreleased ? { ...name, unreleased } : name;
}

/**
 * The standard library, whose version is the toolchain's: `go1.22.3 X:boringcrypto` and `go1.22.3-vendor.1` are both
 * 1.22.3. A toolchain built from a work tree, `devel go1.23-4ab31e`, is no release.
 */
export function standardLibrary(toolchain: string): Package {
  const number = /^(?:devel )?go(\d+(?:\.\d+)*(?:(?:rc|beta)\d+)?)/.exec(toolchain)?.[1];
  const name = { type: 'golang', name: 'stdlib', version: number ?? '(devel)' } as const;
  return number === undefined || toolchain.startsWith('devel') ? { ...name, unreleased: true } : name;
}
