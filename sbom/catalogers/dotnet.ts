import type { Package } from '../package.ts';
import { type Cataloger, EvidenceFault, type Findings, MAX_TEXT_BYTES } from './cataloger.ts';
import { isObject, jsonOf, memberOf } from './json-file.ts';

/**
 * What a .NET program is put together from, as its build leaves it for the loader
 * (https://github.com/dotnet/sdk/blob/main/documentation/specs/runtime-configuration-file.md). The shared framework has
 * such a file of its own.
 */
export const dotnet: Cataloger = {
  name: 'dotnet',
  version: 2,
  maxBytes: MAX_TEXT_BYTES,
  matches: (path) => path.endsWith('.deps.json'),
  catalog(file): Findings {
    const libraries = memberOf(jsonOf(file), 'libraries');
    if (!isObject(libraries)) throw new EvidenceFault('the file lists no libraries');
    // The others are projects of the program itself.
    const packages = Object.entries(libraries).filter(([, each]) => isPackage(memberOf(each, 'type')));
    const found = packages.flatMap(([key]) => parseKey(key) ?? []);
    if (found.length === packages.length) return { packages: found };
    const message = `${packages.length - found.length} packages lack a name or a version`;
    return { packages: found, problem: { code: 'evidence_invalid', message } };
  },
};

function isPackage(type: unknown): boolean {
  return type === 'package' || type === 'runtimepack';
}

/**
 * `Newtonsoft.Json/13.0.1`. The runtime that is laid beside a program comes from NuGet, too, where advisories have it
 * without the word that is before its name here.
 */
function parseKey(key: string): Package | undefined {
  const [name, version, ...rest] = key.replace(/^runtimepack\./, '').split('/');
  return name && version && rest.length === 0 ? { type: 'nuget', name, version } : undefined;
}
