import { setImmediate } from 'node:timers/promises';
import { promisify } from 'node:util';
import { zstdDecompress } from 'node:zlib';
import { CATALOGER_VERSION_FORM } from './catalogers/table.ts';
import {
  beyondFragment,
  FRAGMENT_FORMAT,
  MAX_FRAGMENT_JSON_BYTES,
  tooManyPackages,
} from './encode-fragment.ts';
import { SbomError } from './errors.ts';
import {
  type Evidence,
  type EvidenceProblem,
  evidenceProblemCodes,
  type Fragment,
  MAX_DEPTH,
  MAX_ENTRIES,
  MAX_PATH_BYTES,
  type Owner,
  opacities,
  type Problem,
  problemCodes,
  type Symlink,
} from './fragment.ts';
import { JsonValue, ShapeFault } from './json-shape.ts';
import type { OsRelease } from './os-release.ts';
import { isPackageText, type Package, packageKey, packageNameKey, packageTypes } from './package.ts';

const CATALOGER_NAME = /^[a-z][a-z0-9-]{0,31}$/;

/**
 * A fragment from bytes that another machine made: all of it is checked, so that what a fold relies on holds whoever
 * sent them. Throws SbomError `fragment_invalid`.
 */
export async function decodeFragment(bytes: Buffer): Promise<Fragment> {
  try {
    const json = await promisify(zstdDecompress)(bytes, { maxOutputLength: MAX_FRAGMENT_JSON_BYTES });
    const beyond = beyondFragment(json);
    if (beyond !== undefined) throw new ShapeFault(`it ${beyond}`);
    const value: unknown = JSON.parse(json.toString('utf8'));
    // A large one takes a second in all: others have their turn between the steps.
    await setImmediate();
    const fragment = parseFragment(new JsonValue(value, 'fragment'));
    await setImmediate();
    checkEntries(fragment);
    return fragment;
  } catch (cause) {
    throw new SbomError('fragment_invalid', 'the bytes are not a fragment', {
      cause,
      hint: 'The sender is damaged, of another release, or not one of ours.',
    });
  }
}

function parseFragment(value: JsonValue): Fragment {
  value.get('format').oneOf([FRAGMENT_FORMAT]);
  const totals = value.get('totals');
  return {
    cataloger: value
      .get('cataloger')
      .text((text) => CATALOGER_VERSION_FORM.test(text), 'a cataloger version'),
    opacity: value.get('opacity').oneOf(opacities),
    files: parsePaths(value.get('files')),
    symlinks: parseSorted(value.get('symlinks'), parseSymlink, ({ path }) => path),
    others: parsePaths(value.get('others')),
    emptyFolders: parsePaths(value.get('emptyFolders')),
    whiteouts: parsePaths(value.get('whiteouts')),
    opaques: parsePaths(value.get('opaques')),
    evidence: parseSorted(value.get('evidence'), parseEvidence, ({ path }) => path),
    // Catalogers of earlier releases tell of none.
    owners: value.get('owners').optional(parseOwners) ?? [],
    totals: { files: totals.get('files').count(), bytes: totals.get('bytes').count() },
    problems: parseSorted(value.get('problems'), parseProblem, ({ path, code }) => `${path}\n${code}`),
  };
}

/** Items in strictly ascending order of a key, as they are encoded; so none comes twice. */
function parseSorted<T>(value: JsonValue, parse: (item: JsonValue) => T, key: (item: T) => string): T[] {
  const items = value.list(MAX_ENTRIES, parse);
  const keys = items.map(key);
  if (keys.some((each, index) => index > 0 && each <= (keys[index - 1] ?? '')))
    throw value.fault('is not sorted');
  return items;
}

function parsePaths(value: JsonValue): string[] {
  return parseSorted(value, parsePath, (path) => path);
}

function parsePath(value: JsonValue): string {
  return value.text(isPath, 'a clean path');
}

function isPath(text: string): boolean {
  if (!isTextOfPath(text) || text.includes('\0')) return false;
  const names = text.split('/');
  return names.length <= MAX_DEPTH && names.every((name) => name !== '' && name !== '.' && name !== '..');
}

function isTextOfPath(text: string): boolean {
  return text.isWellFormed() && Buffer.byteLength(text) <= MAX_PATH_BYTES;
}

function parseSymlink(value: JsonValue): Symlink {
  const [path, target] = value.list(2, (item) => item);
  if (path === undefined || target === undefined) throw value.fault('is not a path and a target');
  return { path: parsePath(path), target: target.text(isTextOfPath, 'the target of a link') };
}

function parseEvidence(value: JsonValue): Evidence {
  return {
    path: parsePath(value.get('path')),
    cataloger: value.get('cataloger').text((text) => CATALOGER_NAME.test(text), 'the name of a cataloger'),
    packages: parseSorted(value.get('packages'), parsePackage, packageKey),
    owned: value.get('owned').optional((item) => item.oneOf([true])),
    os: value.get('os').optional(parseOs),
    problem: value.get('problem').optional(parseEvidenceProblem),
  };
}

function parsePackage(value: JsonValue): Package {
  const parseSource = (source: JsonValue): { name: string; version: string } => ({
    name: parsePackageText(source.get('name')),
    version: parsePackageText(source.get('version')),
  });
  return {
    type: value.get('type').oneOf(packageTypes),
    name: parsePackageText(value.get('name')),
    version: parsePackageText(value.get('version')),
    arch: value.get('arch').optional(parsePackageText),
    source: value.get('source').optional(parseSource),
    module: value.get('module').optional(parsePackageText),
    unreleased: value.get('unreleased').optional((item) => item.oneOf([true])),
  };
}

function parsePackageText(value: JsonValue): string {
  return value.text(isPackageText, 'a short, printable text');
}

function parseOwners(value: JsonValue): Owner[] {
  const parseOwner = (owner: JsonValue): Owner => ({
    type: owner.get('type').oneOf(packageTypes),
    name: parsePackageText(owner.get('name')),
    arch: owner.get('arch').optional(parsePackageText),
    files: parsePaths(owner.get('files')),
  });
  return parseSorted(value, parseOwner, packageNameKey);
}

function parseOs(value: JsonValue): OsRelease {
  return {
    id: parsePackageText(value.get('id')),
    versionId: value.get('versionId').optional(parsePackageText),
    prettyName: value.get('prettyName').optional(parsePackageText),
  };
}

function parseEvidenceProblem(value: JsonValue): EvidenceProblem {
  return {
    code: value.get('code').oneOf(Object.keys(evidenceProblemCodes) as (keyof typeof evidenceProblemCodes)[]),
    message: parsePackageText(value.get('message')),
  };
}

function parseProblem(value: JsonValue): Problem {
  return {
    code: value.get('code').oneOf(Object.keys(problemCodes) as (keyof typeof problemCodes)[]),
    path: value.get('path').text((text) => text.length <= MAX_PATH_BYTES, 'the text of a path'),
  };
}

/** What no single value shows: nothing lies below a file, no path is two things, and evidence is a file. */
function checkEntries(fragment: Fragment): void {
  const tooMany = tooManyPackages(fragment);
  if (tooMany !== undefined) throw new ShapeFault(`it ${tooMany}`);
  const symlinks = fragment.symlinks.map(({ path }) => path);
  const leafLists = [fragment.files, symlinks, fragment.others, fragment.whiteouts];
  const folderLists = [fragment.emptyFolders, fragment.opaques];
  const leaves = new Set(leafLists.flat());
  const count = leafLists.reduce((sum, list) => sum + list.length, 0);
  if (leaves.size !== count) throw new ShapeFault('a path is two things at once');
  if (count > MAX_ENTRIES) throw new ShapeFault(`there are more than ${MAX_ENTRIES} entries`);
  const folders = new Set(folderLists.flat());
  for (const path of [...leaves, ...folders]) addParents(path, folders);
  for (const folder of folders) {
    if (leaves.has(folder)) throw new ShapeFault(`'${folder}' is a folder and is not`);
  }
  const files = new Set(fragment.files);
  const stray = fragment.evidence.find(({ path }) => !files.has(path));
  if (stray) throw new ShapeFault(`the evidence '${stray.path}' is not a file`);
  const owned = fragment.owners.flatMap((owner) => owner.files);
  if (new Set(owned).size !== owned.length) throw new ShapeFault('a file is of two packages');
  if (owned.some((path) => !files.has(path))) throw new ShapeFault('a package owns what is no file');
  if (fragment.totals.files !== files.size) throw new ShapeFault('the number of files is wrong');
}

function addParents(path: string, folders: Set<string>): void {
  for (let end = path.lastIndexOf('/'); end > 0; end = path.lastIndexOf('/', end - 1)) {
    const parent = path.slice(0, end);
    if (folders.has(parent)) return;
    folders.add(parent);
  }
}
