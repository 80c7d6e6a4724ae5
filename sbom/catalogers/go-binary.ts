import { type Cataloger, EvidenceFault, type Findings, HEAD_BYTES, MAX_PROGRAM_BYTES } from './cataloger.ts';
import { isElf, readSegments } from './elf.ts';
import { FileParts } from './file-parts.ts';
import { findBuildInfo, searchedParts } from './go-build-info.ts';
import { parseModules, standardLibrary } from './go-modules.ts';

/** UPX puts this right behind the program headers of what it packs. */
const UPX_MAGIC = 'UPX!';

/** Go programs for Linux, from the build information that the linker leaves in their data. */
export const goBinary: Cataloger = {
  name: 'go-binary',
  version: 1,
  maxBytes: MAX_PROGRAM_BYTES,
  matches: (_path, { size, mode }) => (mode & 0o111) !== 0 && size > 0,
  parts(head, size) {
    return isElf(head)
      ? searchedParts(readSegments(new FileParts(size, [{ start: 0, bytes: head }])) ?? [])
      : undefined;
  },
  catalog(file): Findings | undefined {
    const info = findBuildInfo(file, readSegments(file) ?? []);
    if (info instanceof EvidenceFault) throw info;
    if (info) return { packages: [standardLibrary(info.toolchain), ...parseModules(info.modules)] };
    if (!file.read(0, HEAD_BYTES).includes(UPX_MAGIC)) return undefined;
    const message = 'the executable is packed with UPX';
    return { packages: [], problem: { code: 'evidence_packed', message } };
  },
};
