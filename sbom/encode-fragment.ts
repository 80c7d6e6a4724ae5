import { promisify } from 'node:util';
import { zstdCompress } from 'node:zlib';
import { SbomError } from './errors.ts';
import { type Evidence, type Fragment, MAX_PACKAGES } from './fragment.ts';
import { beyondBounds } from './json-measure.ts';
import type { Package } from './package.ts';

/** Raised when the form changes; a reader refuses forms that it does not know. */
export const FRAGMENT_FORMAT = 2;
/** A layer of 131,066 files has 9 MB; one with as many and as long paths as a layer may have, 42 MB. */
export const MAX_FRAGMENT_JSON_BYTES = 64 * 1024 * 1024;
/** Five lists in objects in lists are the deepest; 500,000 links and 100,000 packages have 2.5 million values. */
const JSON_BOUNDS = { depth: 16, values: 3_000_000 };

/**
 * The one form of a fragment between machines and in stores: JSON of a fixed order of keys, compressed with zstd.
 * The same fragment gives the same bytes. Throws SbomError `fragment_too_large`.
 */
export async function encodeFragment(fragment: Fragment): Promise<Buffer> {
  const json = Buffer.from(JSON.stringify(toJson(fragment)));
  const beyond = beyondFragment(json) ?? tooManyPackages(fragment);
  if (beyond !== undefined) throw new SbomError('fragment_too_large', `the fragment ${beyond}`);
  return promisify(zstdCompress)(json);
}

/** In what the JSON of a fragment goes beyond what a reader takes apart. */
export function beyondFragment(json: Buffer): string | undefined {
  if (json.length <= MAX_FRAGMENT_JSON_BYTES) return beyondBounds(json, JSON_BOUNDS);
  return `has ${json.length} bytes before compression; the most is ${MAX_FRAGMENT_JSON_BYTES}`;
}

export function tooManyPackages({ evidence }: Fragment): string | undefined {
  const count = evidence.reduce((sum, { packages }) => sum + packages.length, 0);
  return count > MAX_PACKAGES ? `names ${count} packages; the most is ${MAX_PACKAGES}` : undefined;
}

function toJson(fragment: Fragment): object {
  return {
    format: FRAGMENT_FORMAT,
    cataloger: fragment.cataloger,
    opacity: fragment.opacity,
    files: fragment.files,
    symlinks: fragment.symlinks.map(({ path, target }) => [path, target]),
    others: fragment.others,
    emptyFolders: fragment.emptyFolders,
    whiteouts: fragment.whiteouts,
    opaques: fragment.opaques,
    evidence: fragment.evidence.map(evidenceToJson),
    owners: fragment.owners.map(({ type, name, arch, files }) => ({ type, name, arch, files })),
    totals: { files: fragment.totals.files, bytes: fragment.totals.bytes },
    problems: fragment.problems.map(({ code, path }) => ({ code, path })),
  };
}

function evidenceToJson({ path, cataloger, packages, owned, os, problem }: Evidence): object {
  return {
    path,
    cataloger,
    packages: packages.map(packageToJson),
    owned,
    os: os && { id: os.id, versionId: os.versionId, prettyName: os.prettyName },
    problem: problem && { code: problem.code, message: problem.message },
  };
}

function packageToJson({ type, name, version, arch, source, module, unreleased }: Package): object {
  return {
    type,
    name,
    version,
    arch,
    source: source && { name: source.name, version: source.version },
    module,
    unreleased,
  };
}
