import type { Fragment } from '../fragment.ts';
import type { OsRelease } from '../os-release.ts';
import { type Package, packageKey } from '../package.ts';
import { visitAll } from '../tree.ts';
import type { ImageContents, ImagePackage, ImageProblem, Location } from './image-contents.ts';
import { type ImageLeaf, ImageTree, type Statement } from './image-tree.ts';
import { loadedPackages } from './loaded.ts';
import { packageUrl } from './package-url.ts';
import { unnameable } from './unnameable.ts';

/** os-release(5): the first that exists counts. */
const OS_RELEASE_PATHS = ['etc/os-release', 'usr/lib/os-release'];

/**
 * What the layers of an image, given from bottom to top, hold together. `ran` are files that containers of it have run or
 * mapped, by their paths in the image.
 */
export function fold(fragments: readonly Fragment[], ran: readonly string[] = []): ImageContents {
  const image = new ImageFold();
  for (const fragment of fragments) image.add(fragment);
  return image.contents(ran);
}

/** The same layer by layer, so that no more than one fragment has to be in memory beside what they come to. */
export class ImageFold {
  readonly #tree = new ImageTree();
  readonly #problems: ImageProblem[] = [];
  #layers = 0;

  /** Puts the next layer on top. */
  add(fragment: Fragment): void {
    const layer = this.#layers++;
    this.#tree.add(fragment, layer);
    for (const each of layerProblems(fragment, layer)) this.#problems.push(each);
  }

  contents(ran: readonly string[] = []): ImageContents {
    const evidence = visibleEvidence(this.#tree);
    const os = findOs(this.#tree);
    const { packages, problems } = gatherPackages(evidence, os);
    const loaded = loadedPackages(this.#tree, packages, ran);
    return {
      os,
      packages: packages.map((each) => (loaded.has(each) ? { ...each, loaded: true } : each)),
      problems: [...this.#problems, ...evidence.flatMap(evidenceProblem), ...problems].sort(byLayer),
    };
  }
}

function layerProblems({ problems }: Fragment, layer: number): ImageProblem[] {
  return problems.map(({ path, code }) => ({ layer, path, code }));
}

function evidenceProblem({ path, last: { layer, evidence } }: VisibleEvidence): ImageProblem[] {
  const { problem, cataloger } = evidence;
  return problem ? [{ layer, path, cataloger, ...problem }] : [];
}

function byLayer(a: ImageProblem, b: ImageProblem): number {
  if (a.layer !== b.layer) return a.layer - b.layer;
  return `${a.path}\n${a.code}` < `${b.path}\n${b.code}` ? -1 : 1;
}

interface VisibleEvidence {
  readonly path: string;
  readonly statements: readonly Statement[];
  readonly last: Statement;
}

function visibleEvidence(tree: ImageTree): VisibleEvidence[] {
  const found: VisibleEvidence[] = [];
  visitAll(tree.root, (path, node) => {
    const statements = node.kind === 'leaf' ? node.statements : undefined;
    const last = statements?.at(-1);
    if (statements && last) found.push({ path, statements, last });
  });
  return found.sort((a, b) => (a.path < b.path ? -1 : 1));
}

function findOs(tree: ImageTree): OsRelease | undefined {
  for (const path of OS_RELEASE_PATHS) {
    const found = tree.resolve(path);
    if (found?.kind === 'leaf') return osOf(found);
  }
  return undefined;
}

function osOf(leaf: ImageLeaf): OsRelease | undefined {
  return leaf.statements?.at(-1)?.evidence.os;
}

function gatherPackages(
  evidence: readonly VisibleEvidence[],
  os: OsRelease | undefined,
): { readonly packages: ImagePackage[]; readonly problems: ImageProblem[] } {
  const found = new Map<string, { each: Package; locations: Location[] }>();
  const problems: ImageProblem[] = [];
  for (const { path, statements, last } of evidence) {
    const originOf = originFinder(statements);
    const owned = last.evidence.owned ?? false;
    const faults: string[] = [];
    for (const each of last.evidence.packages) {
      const purl = packageUrl(each, os);
      const fault = unnameable(each, purl);
      if (fault !== undefined) {
        faults.push(fault);
        continue;
      }
      const known = found.get(purl);
      const location = { path, layer: originOf(each), owned };
      if (known) known.locations.push(location);
      else found.set(purl, { each, locations: [location] });
      // Who calls it unreleased has no say where another does not: then it is held against advisories.
      if (known?.each.unreleased) known.each = each;
    }
    const [first] = faults;
    if (first !== undefined) problems.push(leftOut(path, last, { count: faults.length, first }));
  }
  const packages = [...found]
    .map(([purl, { each, locations }]) => {
      const layer = Math.min(...locations.map((location) => location.layer));
      return { ...each, purl, layer, locations };
    })
    .sort((a, b) => (a.purl < b.purl ? -1 : 1));
  return { packages, problems };
}

function leftOut(
  path: string,
  { layer, evidence }: Statement,
  { count, first }: { readonly count: number; readonly first: string },
): ImageProblem {
  const message =
    count === 1
      ? `a package is left out: ${first}`
      : `${count} packages are left out, the first since ${first}`;
  return { layer, path, cataloger: evidence.cataloger, code: 'package_unnameable', message };
}

/** Finds the lowest layer from which on every copy of an evidence file names a package. */
function originFinder(statements: readonly Statement[]): (each: Package) => number {
  const copies = statements.map(({ layer, evidence }) => ({
    layer,
    keys: new Set(evidence.packages.map(packageKey)),
  }));
  return (each) => {
    const key = packageKey(each);
    const without = copies.findLastIndex(({ keys }) => !keys.has(key));
    return copies[without + 1]?.layer ?? 0;
  };
}
