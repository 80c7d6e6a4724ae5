import type { EvidenceProblem } from '../fragment.ts';
import type { OsRelease } from '../os-release.ts';
import type { Package, PackageName } from '../package.ts';
import type { FileParts, WantedPart } from './file-parts.ts';

/** What one kind of evidence is and says. A cataloger sees one file at a time and never its neighbours. */
export interface Cataloger {
  readonly name: string;
  /** To be raised with every change after which `catalog` can give something else for some file. */
  readonly version: number;
  /** Whether a file there can be evidence. */
  matches(path: string, file: { readonly size: number; readonly mode: number }): boolean;
  /** The largest file that is read, in bytes; the others are reported. */
  readonly maxBytes: number;
  /** What of a file's path its content is read by, such as its last name; left out where only the content counts. */
  hint?(path: string): string;
  /**
   * The parts that `catalog` needs, told from the first HEAD_BYTES, which it always gets; undefined if the file is no
   * evidence after all. A cataloger without this method gets the whole file.
   */
  parts?(head: Buffer, size: number, hint: string): readonly WantedPart[] | undefined;
  /** It finds no packages, but tells which files those of others own. */
  readonly ownsOnly?: true;
  /** Undefined if the file is no evidence after all. Throws EvidenceFault if it cannot be read. */
  catalog(file: FileParts): Findings | undefined;
}

export interface Findings {
  readonly packages: readonly Package[];
  /** What package managers of the system say to have put there. */
  readonly owns?: readonly Ownership[] | undefined;
  readonly os?: OsRelease | undefined;
  readonly problem?: EvidenceProblem | undefined;
}

/** The files of one package. */
export interface Ownership {
  /** None if the list does not say whose it is. */
  readonly owner?: PackageName | undefined;
  /** Without a leading slash. */
  readonly paths: readonly string[];
}

/** A file is not of its format; the message says how, and never quotes the file, which may hold anything. */
export class EvidenceFault extends Error {}

/** Debian's package database takes 1.3 KB a package, so that this is enough for 25,000. */
export const MAX_TEXT_BYTES = 32 * 1024 * 1024;
/** As large as kube-apiserver, scheduler and kubelet in one. Whole programs are needed in odd cases only. */
export const MAX_PROGRAM_BYTES = 128 * 1024 * 1024;

/** Enough for the headers of an executable, and for one read of a disk. */
export const HEAD_BYTES = 4096;

/** The whole of a file as text. */
export function textOf(file: FileParts): string {
  return file.read(0, file.size).toString('utf8');
}
