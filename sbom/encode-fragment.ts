import { promisify } from 'node:util';
import { zstdCompress } from 'node:zlib';
import { SbomError } from './errors.ts';
import type { Evidence, Fragment } from './fragment.ts';
import type { Package } from './package.ts';

/** Raised when the form changes; a reader refuses forms that it does not know. */
export const FRAGMENT_FORMAT = 2;
/** A layer of 131,066 files has 9 MB; the limits of a layer allow for 50 MB of paths and as much of packages. */
export const MAX_FRAGMENT_JSON_BYTES = 128 * 1024 * 1024;

/**
 * The one form of a fragment between machines and in stores: JSON of a fixed order of keys, compressed with zstd.
 * The same fragment gives the same bytes. Throws SbomError `fragment_too_large`.
 */
export async function encodeFragment(fragment: Fragment): Promise<Buffer> {
  const json = Buffer.from(JSON.stringify(toJson(fragment)));
  if (json.length > MAX_FRAGMENT_JSON_BYTES) {
    throw new SbomError('fragment_too_large', `the fragment has ${json.length} bytes before compression`);
  }
  return promisify(zstdCompress)(json);
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
