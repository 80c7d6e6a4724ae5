import { packageKeys } from '@gatehouse/advisories';
import type { VerdictState } from '@gatehouse/policies';
import { decodeFragment, fold, type ImageContents, ImageFold, isOfSystem, weightOf } from '@gatehouse/sbom';
import { findRoot } from '../datastore/container-roots.ts';
import type { Sql } from '../datastore/database.ts';
import { findImage, type ImageRow, setComposed } from '../datastore/images.ts';
import { fragmentOf, layersOf, type StoredLayer } from '../datastore/layers.ts';
import {
  type ImagePackage,
  type PackageKey,
  replaceImagePackages,
  upsertPackages,
} from '../datastore/packages.ts';
import { loadedFiles } from '../datastore/runtime-facts.ts';
import { markKeys, markVerdicts } from '../datastore/stale.ts';
import type { App } from './app.ts';
import { decoding } from './fragments.ts';
import { uploadedContents } from './uploaded-sboms.ts';
import { mayReplace, saysLess, versionsBehind } from './versions.ts';

/**
 * Folds an image's layers to its packages, and has the new ones matched and the image judged. Whatever is missing is
 * waited for; what cannot be read makes the image partial or failed. Where no layer was read so far, what somebody
 * uploaded stands.
 */
export async function composeImage(app: App, digest: string, catalogerVersion: string): Promise<void> {
  await app.database.transaction(async (sql) => {
    // First, as whoever judges takes the note before the image. Where a node makes an image known, that is locked first,
    // for only then it can have names: the two may wait in a circle, which PostgreSQL ends, and one begins anew.
    await markVerdicts(sql, [digest]);
    const image = await findImage(sql, digest, { lock: true });
    if (!image || !mayReplace(image, catalogerVersion)) return;
    const layers = await layersOf(sql, image.diffIds, versionsBehind(catalogerVersion));
    const isThere = isDescribed(image) && layers.length === image.diffIds.length;
    if (isThere && (await saysLess(sql, image, catalogerVersion))) {
      app.log.debug(
        { image: digest, catalogerVersion, kept: image.composedBy },
        'older catalogers read more',
      );
      return;
    }
    const read = isThere ? await readContents(sql, image, layers, catalogerVersion) : undefined;
    const by = isThere ? catalogerVersion : undefined;
    if (!read?.isAny && (await composeUploaded(app, sql, image, by))) return;
    if (!read) return;
    const { contents, root, diffIds, leftOut } = read;
    await setComposed(sql, digest, {
      ...stateOf(image, { layers, root, leftOut, problems: contents.problems }),
      os: contents.os ?? root?.os,
      source: 'layers',
      catalogerVersion,
    });
    const held = heldPackages(contents, diffIds);
    await keepPackages(sql, image, root ? withRoot(held, heldPackages(root, [])) : held);
    await app.jobs.send(sql, 'rematch-packages', {});
    await app.jobs.send(sql, 'judge-images', {});
  });
}

/** What nodes have read of an image: its layers, and where some could not be read what a container of it shows. */
export async function readContents(
  sql: Sql,
  image: ImageRow,
  layers: readonly StoredLayer[],
  catalogerVersion: string,
) {
  using _turn = await decoding.take();
  const loaded = await loadedFiles(sql, image.digest);
  const { folded, diffIds, leftOut } = await foldLayers(sql, layers);
  const contents = folded.contents(loaded);
  const isWhole = layers.every(({ unreadable }) => unreadable === null);
  const encoded = isWhole ? undefined : await findRoot(sql, image.digest, catalogerVersion);
  const root = encoded && fold([await decodeFragment(encoded)], loaded);
  const isAny = isWhole || diffIds.length > 0 || root !== undefined;
  return { contents, root, diffIds, leftOut, isAny };
}

/** Whether anyone has said what it is made of. */
function isDescribed({ proven, diffIds }: ImageRow): boolean {
  return proven || diffIds.length > 0;
}

/**
 * Takes an uploaded SBOM for what the image holds, unless nodes have read it once; false if that is so or there is none.
 * It is somebody's word, which nobody has checked: so the image is known in part only.
 */
async function composeUploaded(
  app: App,
  sql: Sql,
  image: ImageRow,
  catalogerVersion: string | undefined,
): Promise<boolean> {
  if (catalogerVersion === undefined && image.source === 'layers') return false;
  const uploaded = await uploadedContents(sql, image.digest);
  if (!uploaded) return false;
  const { contents, diffIds, reason } = uploaded;
  const { os } = contents;
  await setComposed(sql, image.digest, { state: 'partial', reason, os, source: 'upload', catalogerVersion });
  await keepPackages(sql, image, heldPackages(contents, diffIds));
  await app.jobs.send(sql, 'rematch-packages', {});
  await app.jobs.send(sql, 'judge-images', {});
  return true;
}

/**
 * About what the fold of an image may take in memory, as `weightOf` counts: 700,000 files or 240,000 packages. The
 * largest image on record has 113,836 files; one layer at the bounds is always folded.
 */
const MAX_IMAGE_WEIGHT = 128 * 1024 * 1024;
const TOO_LARGE = 'the image has more files and packages than are read of one';

const FROM_ROOT =
  'What a running container of the image shows was read instead, where the container may have hidden or added things';

function unreadableReason({ diffId, unreadable }: StoredLayer, count: number, of: number): string {
  const which = count === 1 ? '' : `${count} of ${of} layers could not be read, first `;
  return `${which}layer ${diffId}: ${unreadable}`;
}

/** Catalogers of files that speak for many packages at once. */
const databases: ReadonlySet<string | undefined> = new Set([
  'apk',
  'dpkg',
  'os-release',
  'rpm',
  'rpm-manifest',
]);

/** Whether all that counts could be read, and the first thing that could not. */
function stateOf(
  { proven }: ImageRow,
  read: {
    readonly layers: readonly StoredLayer[];
    /** What a container of the image shows. */
    readonly root: ImageContents | undefined;
    /** From which layer on nothing was folded. */
    readonly leftOut: string | undefined;
    readonly problems: ImageContents['problems'];
  },
): { state: VerdictState; reason: string | undefined } {
  const { layers, root, leftOut, problems } = read;
  const unreadable = layers.filter((layer) => layer.unreadable !== null);
  const [layer] = unreadable;
  if (layer) {
    const reason = unreadableReason(layer, unreadable.length, layers.length);
    if (root) return { state: 'partial', reason: `${reason}. ${FROM_ROOT}` };
    return { state: unreadable.length < layers.length ? 'partial' : 'failed', reason };
  }
  if (leftOut !== undefined)
    return { state: 'partial', reason: `layer ${leftOut} and all above it: ${TOO_LARGE}` };
  // A manifest that is broken is of one package, and of none that would work. Where a whole database or a file beyond
  // the bounds was not read, anything may be in it.
  const unread = problems.find(
    ({ code, cataloger }) =>
      code === 'package_unnameable' ||
      code === 'evidence_too_large' ||
      code === 'evidence_sparse' ||
      (code === 'evidence_invalid' && databases.has(cataloger)),
  );
  if (unread) return { state: 'partial', reason: `${unread.path}: ${unread.message ?? unread.code}` };
  if (!proven) return { state: 'partial', reason: 'no node has shown the configuration of the image' };
  return { state: 'ready', reason: undefined };
}

/**
 * Folds the layers that could be read, from the bottom to the top, with one decoded fragment at a time beside what they
 * come to. What is beyond the bound is left out, and so is all above it: that would stand on something else.
 */
async function foldLayers(sql: Sql, layers: readonly StoredLayer[]) {
  const folded = new ImageFold();
  const diffIds: string[] = [];
  let weight = 0;
  for (const layer of layers) {
    const encoded = await fragmentOf(sql, layer);
    if (!encoded) continue;
    const fragment = await decodeFragment(encoded);
    weight += weightOf(fragment);
    if (weight > MAX_IMAGE_WEIGHT && diffIds.length > 0) return { folded, diffIds, leftOut: layer.diffId };
    folded.add(fragment);
    diffIds.push(layer.diffId);
  }
  return { folded, diffIds, leftOut: undefined };
}

/** A package as an image holds it. */
interface HeldPackage extends Omit<ImagePackage, 'packageId'> {
  readonly purl: string;
  readonly key: PackageKey | undefined;
}

/** The packages of some contents, whose layers are counted in `diffIds`. */
function heldPackages({ packages, os }: ImageContents, diffIds: readonly string[]): HeldPackage[] {
  // Of a system without advisories, what its packages brought along is better judged by others than not at all.
  const systemIsJudged = packages.some((each) => isOfSystem(each) && packageKeys(each, os).length > 0);
  return packages.map((each) => ({
    purl: each.purl,
    key: packageKeys(each, os)[0],
    layer: diffIds[each.layer] ?? '',
    locations: each.locations.map(({ path }) => path),
    // Of a package without a place, as in some SBOMs, nobody knows whose it is.
    bySystem:
      systemIsJudged &&
      !isOfSystem(each) &&
      each.locations.length > 0 &&
      each.locations.every(({ owned }) => owned),
    loaded: each.loaded ?? false,
  }));
}

/**
 * The packages of the layers, and those that only a container's root shows. A container can write what it likes, so it
 * takes nothing away, and nothing becomes the system's by its word, of what the layers prove: ADR 0015.
 */
export function withRoot(
  layers: readonly HeldPackage[],
  root: readonly HeldPackage[],
): readonly HeldPackage[] {
  const proven = new Set(layers.map(({ purl }) => purl));
  const loaded = new Set(root.filter((each) => each.loaded).map(({ purl }) => purl));
  return [
    // The files of a package may be of a layer that could not be read.
    ...layers.map((each) => ({ ...each, loaded: each.loaded || loaded.has(each.purl) })),
    ...root.filter(({ purl }) => !proven.has(purl)),
  ];
}

/** Keeps what an image holds. */
async function keepPackages(sql: Sql, image: ImageRow, packages: readonly HeldPackage[]): Promise<void> {
  const kept = await upsertPackages(sql, packages);
  await markKeys(
    sql,
    packages.flatMap(({ key }, index) => (key && !kept[index]?.matched ? [key] : [])),
  );
  const held = packages.map(({ purl: _purl, key: _key, ...each }, index) => {
    const packageId = kept[index]?.id;
    if (packageId === undefined) throw new Error('a package was just kept and is not there');
    return { packageId, ...each };
  });
  await replaceImagePackages(sql, image.digest, held);
}
