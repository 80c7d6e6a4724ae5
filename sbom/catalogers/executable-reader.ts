import type { Findings } from './cataloger.ts';
import type { Segment } from './elf.ts';
import type { FileParts, WantedPart } from './file-parts.ts';

/** What one kind of executable says of what it was built from. One file can be of several kinds. */
export interface ExecutableReader {
  /** The parts that `read` needs beside the head, which is all that there is of `file`. */
  parts(file: FileParts, segments: readonly Segment[]): readonly WantedPart[];
  /** Undefined if the file is not of this kind. Throws EvidenceFault if it is, and cannot be read. */
  read(file: FileParts, segments: readonly Segment[]): Findings | undefined;
}
