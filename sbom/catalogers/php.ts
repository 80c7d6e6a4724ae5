import type { Package } from '../package.ts';
import { type Cataloger, EvidenceFault, type Findings, MAX_TEXT_BYTES } from './cataloger.ts';
import { jsonOf, memberOf, textIn } from './json-file.ts';

/** Applications may call the folder of their vendors otherwise; Composer's own in it is always this one. */
const INSTALLED = /(^|\/)composer\/installed\.json$/;

/** Packages of PHP, as Composer notes what it has installed: a list, since its second major version in an object. */
export const php: Cataloger = {
  name: 'php',
  version: 1,
  maxBytes: MAX_TEXT_BYTES,
  matches: (path) => INSTALLED.test(path),
  catalog(file): Findings {
    const json = jsonOf(file);
    const list = Array.isArray(json) ? json : memberOf(json, 'packages');
    if (!Array.isArray(list)) throw new EvidenceFault('the file lists no packages');
    const packages = list.flatMap((each) => toPackage(each) ?? []);
    if (packages.length === list.length) return { packages };
    const message = `${list.length - packages.length} packages lack a name or a version`;
    return { packages, problem: { code: 'evidence_invalid', message } };
  },
};

function toPackage(entry: unknown): Package | undefined {
  const name = textIn(entry, 'name');
  const version = textIn(entry, 'version');
  if (name === undefined || version === undefined) return undefined;
  // Composer's names for branches (https://getcomposer.org/doc/articles/versions.md#branches).
  const isBranch = version.startsWith('dev-') || version.endsWith('-dev');
  const found: Package = { type: 'composer', name, version: version.replace(/^v(?=\d)/i, '') };
  return isBranch ? { ...found, unreleased: true } : found;
}
