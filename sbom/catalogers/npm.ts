import { type Cataloger, EvidenceFault, type Findings, MAX_TEXT_BYTES, textOf } from './cataloger.ts';

const NODE_MODULES = 'node_modules/';
const MANIFEST = '/package.json';
/** Where packages keep others that they bring along as a part of themselves, as TypeScript does. */
const VENDORED = /^([^/]+\/)*(vendor|vendored|third[-_]party)\/(@[^/]+\/)?[^/@][^/]*\/$/;
/** Samples that packages bring along for their own tests; nothing ever loads them. */
const FIXTURES = /(^|\/)(tests?|__tests__|fixtures?|__fixtures__|testdata)\//;

/** Packages of npm and its kin, from the manifest in each one's folder. */
export const npm: Cataloger = {
  name: 'npm',
  version: 2,
  maxBytes: MAX_TEXT_BYTES,
  matches: (path) => path.endsWith(MANIFEST) && path.includes(NODE_MODULES) && isPackageFolder(path),
  catalog(file): Findings {
    const { name, version } = parseManifest(textOf(file));
    if (typeof name !== 'string' || typeof version !== 'string' || !name || !version) return { packages: [] };
    return { packages: [{ type: 'npm', name, version }] };
  },
};

/**
 * Whether the manifest lies in `node_modules/NAME` or `node_modules/@SCOPE/NAME`, or in such a folder of what that package
 * brings along, and no fixture folder lies between a package and what is inside it.
 */
function isPackageFolder(path: string): boolean {
  const inner = `/${path.slice(0, -MANIFEST.length)}/`.split(`/${NODE_MODULES}`).slice(1);
  const last = inner.pop() ?? '';
  const rest = insidePackage(last);
  const isFolder = last !== '' && (rest === '' || VENDORED.test(rest));
  return isFolder && ![...inner.map(insidePackage), rest].some((each) => FIXTURES.test(`${each}/`));
}

/** What is left of a path below node_modules without the package's name. */
function insidePackage(path: string): string {
  return path.replace(/^(@[^/]+\/)?[^@/][^/]*(\/|$)/, '');
}

function parseManifest(text: string): { name?: unknown; version?: unknown } {
  try {
    // Some editors on Windows begin a file with a byte order mark.
    const manifest: unknown = JSON.parse(text.replace(/^\uFEFF/, ''));
    if (typeof manifest === 'object' && manifest !== null) return manifest;
  } catch {
    // The parser's own words quote the file and change with its version.
  }
  throw new EvidenceFault('the manifest is not a JSON object');
}
