import type { Package } from '../package.ts';
import { type Cataloger, type Findings, MAX_TEXT_BYTES, textOf } from './cataloger.ts';
import { toRpmPackage } from './rpm-package.ts';
import { lines } from './stanzas.ts';

const MANIFEST = 'var/lib/rpmmanifest/container-manifest-2';

/** RPM packages of images without RPM itself (CBL-Mariner and Azure Linux distroless), from a list made of its database. */
export const rpmManifest: Cataloger = {
  name: 'rpm-manifest',
  version: 1,
  maxBytes: MAX_TEXT_BYTES,
  matches: (path) => path === MANIFEST,
  catalog(file): Findings {
    const packages: Package[] = [];
    let incomplete = 0;
    for (const line of lines(textOf(file))) {
      const found = line.trim() === '' ? undefined : toPackage(line);
      if (found === 'incomplete') incomplete += 1;
      else if (found !== undefined) packages.push(found);
    }
    if (incomplete === 0) return { packages };
    const message = `${incomplete} lines lack the name or the version of the package`;
    return { packages, problem: { code: 'evidence_invalid', message } };
  },
};

/**
 * Name, version with release, times of installation and build, vendor, the epoch or `(none)`, size, architecture, the
 * epoch as a number, source.
 */
function toPackage(line: string): Package | 'incomplete' | undefined {
  const [name, version, , , , , , arch, epoch, sourceRpm] = line.split('\t').map((each) => each.trim());
  if (!name || !version) return 'incomplete';
  return toRpmPackage({ name, version, arch, epoch, sourceRpm, module: undefined });
}
