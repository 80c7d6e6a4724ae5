import type { Package } from '../package.ts';
import { type Cataloger, type Findings, MAX_TEXT_BYTES, textOf } from './cataloger.ts';
import { parseStanzas } from './stanzas.ts';

const DATABASE = 'var/lib/dpkg/status';
/** Images without dpkg itself have one file a package here, and a list of checksums beside it. */
const DATABASE_PARTS = 'var/lib/dpkg/status.d/';

/** Words of dpkg(1), "package states", for packages that have no file, or none but configuration. */
const absentStates = new Set(['not-installed', 'config-files']);

/** Debian packages, from dpkg's own database. */
export const dpkg: Cataloger = {
  name: 'dpkg',
  version: 1,
  maxBytes: MAX_TEXT_BYTES,
  matches: (path) => path === DATABASE || (path.startsWith(DATABASE_PARTS) && !path.endsWith('.md5sums')),
  catalog(file): Findings {
    const packages: Package[] = [];
    let incomplete = 0;
    for (const fields of parseStanzas(textOf(file))) {
      const found = toPackage(fields);
      if (found === 'incomplete') incomplete += 1;
      else if (found !== 'absent') packages.push(found);
    }
    if (incomplete === 0) return { packages };
    const message = `${incomplete} stanzas lack the name or the version of the package`;
    return { packages, problem: { code: 'evidence_invalid', message } };
  },
};

function toPackage(fields: ReadonlyMap<string, string>): Package | 'absent' | 'incomplete' {
  const state = fields.get('status')?.split(/\s+/)[2];
  if (state !== undefined && absentStates.has(state)) return 'absent';
  const name = fields.get('package');
  const version = fields.get('version');
  if (!name || !version) return 'incomplete';
  const arch = fields.get('architecture') || undefined;
  return { type: 'deb', name, version, arch, source: toSource(fields.get('source'), name, version) };
}

/** `Source: name (version)`; the name and the version are left out where they are those of the package. */
function toSource(text: string | undefined, name: string, version: string): NonNullable<Package['source']> {
  const match = /^(\S+)(?:\s+\(([^)]+)\))?/.exec(text ?? '');
  return { name: match?.[1] ?? name, version: match?.[2]?.trim() ?? version };
}
