import type { OsRelease } from './os-release.ts';
import type { Package, PackageName } from './package.ts';

/**
 * What one layer says, whatever lies below or above it. All paths are relative to the root, clean, and sorted.
 *
 * Every leaf is listed, not only the evidence: a layer is shared between images, and an entry of any kind hides what
 * a lower layer has at its path or below it (a link in place of a file, a folder in place of a file) without a
 * whiteout. Parents are implied: where `a/b` is listed, `a` is a folder. A hard link is a file, since a runtime that
 * has unpacked the archive cannot tell the two names apart either.
 */
export interface Fragment {
  /** CATALOGER_VERSION of the program that read the layer. */
  readonly cataloger: string;
  readonly opacity: Opacity;
  readonly files: readonly string[];
  readonly symlinks: readonly Symlink[];
  /** Devices, sockets and FIFOs. */
  readonly others: readonly string[];
  /** Folders in which the layer itself has nothing; they too replace a lower file. */
  readonly emptyFolders: readonly string[];
  /** Paths of lower layers that are gone, with all that is below them. */
  readonly whiteouts: readonly string[];
  /** Folders of which nothing is seen that lower layers have in them. */
  readonly opaques: readonly string[];
  readonly evidence: readonly Evidence[];
  /** By package, see `packageNameKey`; no file is in two of them. */
  readonly owners: readonly Owner[];
  readonly totals: { readonly files: number; readonly bytes: number };
  /** What was left out, and why. */
  readonly problems: readonly Problem[];
}

/**
 * Above which layers a fragment is true. `exact`: above any, for it is known of each of its folders whether it is
 * opaque; so are all that come from archives. `chain`: above the very layers that it was read above, whatever lies on
 * top. It came from a folder whose opaque marks could not be seen, and one of those that makes no difference there
 * might hide something above other layers. Such a fragment is kept by chain id, not by diff id.
 */
export const opacities = ['exact', 'chain'] as const;
export type Opacity = (typeof opacities)[number];

export interface Symlink {
  readonly path: string;
  readonly target: string;
}

/**
 * The files of this layer that can be run or mapped, and that a list of this layer says to be of one package of the
 * system. A package manager writes its lists in the layer in which it writes files, so what an upper layer has written
 * over such a file is no longer that package's.
 */
export interface Owner extends PackageName {
  readonly files: readonly string[];
}

/** One file that proves packages, or that would if it held any: it hides the one below it in either case. */
export interface Evidence {
  readonly path: string;
  readonly cataloger: string;
  readonly packages: readonly Package[];
  /** A package manager of the system put this file there, so that its advisories speak of it, too. */
  readonly owned?: true | undefined;
  readonly os?: OsRelease | undefined;
  readonly problem?: EvidenceProblem | undefined;
}

export const evidenceProblemCodes = {
  evidence_invalid: 'A file that should name packages is not of its format, as a whole or in part.',
  evidence_too_large: 'A file that should name packages is larger than is read.',
  evidence_packed: 'An executable is packed, so that what it was built from cannot be seen.',
  evidence_sparse: 'A file that should name packages is stored as a sparse file, which is not read.',
} as const;

export interface EvidenceProblem {
  readonly code: keyof typeof evidenceProblemCodes;
  readonly message: string;
}

export const problemCodes = {
  name_not_utf8: 'A name is not UTF-8; the entry, and what is below it, was left out.',
  path_too_long: 'A path is longer or deeper than a path can be; the entry was left out.',
  path_blocked: 'A path leads through something that is not a folder, or in circles; the entry was left out.',
  link_broken: 'A hard link names a file that the layer does not have; the entry was left out.',
  whiteout_invalid: 'A whiteout names nothing; it was ignored.',
  not_permitted: 'A folder or file may not be read by this user, or its disk fails; it was left out.',
  mounted: 'Another file system is mounted there; what is in it was left out.',
  overlay_attribute: 'The archive sets an attribute of overlayfs that moves content about; it was ignored.',
} as const;

export interface Problem {
  readonly code: keyof typeof problemCodes;
  readonly path: string;
}

/** What is known only of an image, where the system is that packages are of. */
export const imageProblemCodes = {
  package_unnameable: 'A package has a name or version that no package URL can tell; it was left out.',
} as const;

/** The largest image on record has 113,836 files in all its layers together. */
export const MAX_ENTRIES = 500_000;
/** All of Debian has 64,000 binary packages; the images with the most have a few thousand. */
export const MAX_PACKAGES = 100_000;
/** PATH_MAX of Linux: no longer path can be opened there. */
export const MAX_PATH_BYTES = 4096;
/** Keeps recursion shallow; trees that are deeper, as PATH_MAX allows, are not made to be used. */
export const MAX_DEPTH = 256;
/** All paths of a layer together: 500,000 of them with the 80 characters that paths have on average. */
export const MAX_PATHS_LENGTH = 40_000_000;

/** How much a layer, or a folder, may hold. */
export interface TreeLimits {
  readonly entries: number;
  readonly pathsLength: number;
}
export const layerLimits: TreeLimits = { entries: MAX_ENTRIES, pathsLength: MAX_PATHS_LENGTH };
