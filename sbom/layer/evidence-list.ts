import type { Cataloger, Findings } from '../catalogers/cataloger.ts';
import type { Evidence } from '../fragment.ts';
import { type PackageName, packageNameKey } from '../package.ts';

/** Links that the merged /usr of distributions consists of: their databases name files by either path. */
const MERGED_INTO_USR = /^(bin|sbin|lib|lib32|lib64|libx32)\//;

/** What is found in a layer, file by file. */
export class EvidenceList {
  readonly #evidence: Evidence[] = [];
  /** What package managers of the system have put there, and for which package, as far as that is known. */
  readonly #owned = new Map<string, PackageName | undefined>();

  push(path: string, cataloger: Cataloger, { owns = [], ...findings }: Findings): void {
    for (const { owner, paths } of owns) {
      for (const file of paths) {
        this.#own(file, owner);
        if (MERGED_INTO_USR.test(file)) this.#own(`usr/${file}`, owner);
      }
    }
    const saysNothing = findings.packages.length === 0 && !findings.os && !findings.problem;
    // Lists of files are of use here only; of what names packages, an empty one hides a lower one all the same.
    if (saysNothing && cataloger.ownsOnly) return;
    this.#evidence.push({ path, cataloger: cataloger.name, ...findings });
  }

  /** The package that a file is said to be of. */
  ownerOf(path: string): PackageName | undefined {
    return this.#owned.get(path);
  }

  /** Of several packages that name a file, the first by name has it: files come here in any order. */
  #own(file: string, owner: PackageName | undefined): void {
    const known = this.#owned.get(file);
    if (known && !(owner && packageNameKey(owner) < packageNameKey(known))) return;
    this.#owned.set(file, owner);
  }

  /**
   * By path, each with whether a package manager of the system has put it there. That is told from this layer alone: a
   * package manager writes its database in the layer in which it writes files, and what an upper layer has written over
   * such a file is no longer that package's.
   */
  toSorted(): readonly Evidence[] {
    return this.#evidence
      .flatMap((each) => (this.#owned.has(each.path) ? (asOwned(each) ?? []) : each))
      .sort((a, b) => (a.path < b.path ? -1 : 1));
  }
}

/**
 * Evidence in a file that a package manager of the system has put there, without what is known by the file's texts
 * alone: its database names that program already, with the version that the system's advisories are about. This is left
 * out here, and not when an image is folded, as no fragment has to carry it then: a plain Debian has twenty such files.
 * Undefined if nothing is left; the file itself hides that of a lower layer all the same.
 */
function asOwned(evidence: Evidence): Evidence | undefined {
  const packages = evidence.packages.filter(({ type }) => type !== 'generic');
  if (evidence.packages.length > 0 && packages.length === 0 && !evidence.os && !evidence.problem)
    return undefined;
  return { ...evidence, packages, owned: true };
}
