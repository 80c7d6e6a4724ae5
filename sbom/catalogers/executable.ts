import { type Cataloger, EvidenceFault, type Findings, HEAD_BYTES, MAX_PROGRAM_BYTES } from './cataloger.ts';
import { isElf, readSegments, type Segment } from './elf.ts';
import type { ExecutableReader } from './executable-reader.ts';
import { type FilePart, FileParts, type WantedPart } from './file-parts.ts';
import { goBinary } from './go-binary.ts';
import { knownBinary, programHint } from './known-binary.ts';
import { rustBinary } from './rust-binary.ts';

const readers: readonly ExecutableReader[] = [goBinary, rustBinary, knownBinary];

/** UPX puts this right behind the program headers of what it packs. */
const UPX_MAGIC = 'UPX!';

/** Executables for Linux, and the libraries among them that are known by their names, which need not be executable. */
export const executable: Cataloger = {
  name: 'executable',
  version: 1,
  maxBytes: MAX_PROGRAM_BYTES,
  matches: (path, { size, mode }) => size > 0 && ((mode & 0o111) !== 0 || programHint(path) !== ''),
  hint: programHint,
  parts(head, size, hint) {
    if (!isElf(head)) return undefined;
    const file = new FileParts(size, [{ start: 0, bytes: head }], { hint });
    const segments = readSegments(file) ?? [];
    return withoutRepeats(readers.flatMap((reader) => reader.parts(file, segments)));
  },
  catalog(file): Findings | undefined {
    if (!isElf(file.read(0, 4))) return undefined;
    const segments = readSegments(file) ?? [];
    const found = readers.flatMap((reader) => readWith(reader, file, segments) ?? []);
    if (found.length > 0) {
      return {
        packages: found.flatMap(({ packages }) => packages),
        problem: found.find(({ problem }) => problem)?.problem,
      };
    }
    if (!file.read(0, HEAD_BYTES).includes(UPX_MAGIC)) return undefined;
    const message = 'the executable is packed with UPX';
    return { packages: [], problem: { code: 'evidence_packed', message } };
  },
};

function withoutRepeats(parts: readonly WantedPart[]): readonly WantedPart[] {
  const isIn = (inner: FilePart, outer: WantedPart): boolean =>
    outer.around === undefined &&
    outer.start <= inner.start &&
    inner.start + inner.length <= outer.start + outer.length;
  const kept: WantedPart[] = [];
  for (const part of parts) {
    if (part.length > 0 && !kept.some((each) => isIn(part, each))) kept.push(part);
  }
  return kept;
}

/** What one kind of a program hides is no reason to be silent of the others. */
function readWith(
  reader: ExecutableReader,
  file: FileParts,
  segments: readonly Segment[],
): Findings | undefined {
  try {
    return reader.read(file, segments);
  } catch (error) {
    if (!(error instanceof EvidenceFault)) throw error;
    return { packages: [], problem: { code: 'evidence_invalid', message: error.message } };
  }
}
