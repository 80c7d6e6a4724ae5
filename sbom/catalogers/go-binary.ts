import { EvidenceFault } from './cataloger.ts';
import type { ExecutableReader } from './executable-reader.ts';
import { findBuildInfo, searchedParts } from './go-build-info.ts';
import { parseModules, standardLibrary } from './go-modules.ts';

/** Go programs, from the build information that the linker leaves in their data. */
export const goBinary: ExecutableReader = {
  parts: (_file, segments) => searchedParts(segments),
  read(file, segments) {
    const info = findBuildInfo(file, segments);
    if (info instanceof EvidenceFault) throw info;
    return info && { packages: [standardLibrary(info.toolchain), ...parseModules(info.modules)] };
  },
};
