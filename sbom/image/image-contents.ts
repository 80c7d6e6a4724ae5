import type { EvidenceProblem, imageProblemCodes, Problem } from '../fragment.ts';
import type { OsRelease } from '../os-release.ts';
import type { Package } from '../package.ts';

/** What an image holds. Layers are counted from 0 at the bottom. */
export interface ImageContents {
  readonly os: OsRelease | undefined;
  /** Each package once, in the order of their package URLs. */
  readonly packages: readonly ImagePackage[];
  readonly problems: readonly ImageProblem[];
}

export interface ImagePackage extends Omit<Package, 'type'> {
  /** One that catalogers give; of an SBOM from elsewhere any that package URLs have. */
  readonly type: string;
  readonly purl: string;
  /** The lowest layer that brought it, of all places where it is; -1 if that is not told, as in some SBOMs. */
  readonly layer: number;
  readonly locations: readonly Location[];
  /** A container ran a file of it; where this is absent nothing is known. */
  readonly loaded?: true;
}

export interface Location {
  /** The evidence file. */
  readonly path: string;
  /** The layer from which on, without a break, that file has named the package. */
  readonly layer: number;
  /** A package manager of the system put the file there. */
  readonly owned: boolean;
}

/** Something of a layer that could not be read. Evidence that an upper layer hides has none. */
export interface ImageProblem {
  readonly layer: number;
  readonly path: string;
  readonly code: Problem['code'] | EvidenceProblem['code'] | keyof typeof imageProblemCodes;
  /** Which cataloger could not read it; none where it is an entry of the layer that could not be kept. */
  readonly cataloger?: string | undefined;
  readonly message?: string | undefined;
}
