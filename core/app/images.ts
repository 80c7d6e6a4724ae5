import { packageKeys } from '@gatehouse/advisories';
import type { VerdictState } from '@gatehouse/policies';
import { decodeFragment, type Fragment, fold, type ImageContents, isOfSystem } from '@gatehouse/sbom';
import type { Sql } from '../datastore/database.ts';
import { findImage, type ImageRow, setComposed } from '../datastore/images.ts';
import { layersOf, type StoredLayer } from '../datastore/layers.ts';
import { replaceImagePackages, upsertPackages } from '../datastore/packages.ts';
import { loadedFiles } from '../datastore/runtime-facts.ts';
import { markKeys, markVerdicts } from '../datastore/stale.ts';
import type { App } from './app.ts';
import { withChains } from './layers.ts';

/**
 * Folds an image's layers to its packages, and has the new ones matched and the image judged. Whatever is missing is
 * waited for; what cannot be read makes the image partial or failed.
 */
export async function composeImage(app: App, digest: string, catalogerVersion: string): Promise<void> {
  await app.database.transaction(async (sql) => {
    // First, since whoever judges takes the note before the image: the other way round the two could wait in a circle.
    await markVerdicts(sql, [digest]);
    const image = await findImage(sql, digest, { lock: true });
    if (!image) return;
    const layers = await layersOf(sql, withChains(image.diffIds), catalogerVersion);
    if (layers.length < new Set(image.diffIds).size) return;
    const readable = await readableLayers(image, layers);
    const contents = fold(
      readable.map(({ fragment }) => fragment),
      await loadedFiles(sql, digest),
    );
    await setComposed(sql, digest, {
      ...stateOf(image, layers, contents.problems),
      os: contents.os,
      catalogerVersion,
    });
    await keepPackages(
      sql,
      image,
      contents,
      readable.map(({ diffId }) => diffId),
    );
    await app.jobs.send(sql, 'rematch-packages', {});
    await app.jobs.send(sql, 'judge-images', {});
  });
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
  layers: readonly StoredLayer[],
  problems: ImageContents['problems'],
): { state: VerdictState; reason: string | undefined } {
  const unreadable = layers.filter((layer) => layer.fragment === null);
  const [layer] = unreadable;
  if (layer) {
    const state = unreadable.length < layers.length ? 'partial' : 'failed';
    return { state, reason: `layer ${layer.diffId}: ${layer.unreadable}` };
  }
  // A manifest that is broken is of one package, and of none that would work. Where a whole database or a file beyond
  // the bounds was not read, anything may be in it.
  const unread = problems.find(
    ({ code, cataloger }) =>
      code === 'evidence_too_large' ||
      code === 'evidence_sparse' ||
      (code === 'evidence_invalid' && databases.has(cataloger)),
  );
  if (unread) return { state: 'partial', reason: `${unread.path}: ${unread.message ?? unread.code}` };
  if (!proven) return { state: 'partial', reason: 'no node has shown the configuration of the image' };
  return { state: 'ready', reason: undefined };
}

/** The layers that could be read, from the bottom to the top. */
async function readableLayers(
  image: ImageRow,
  layers: readonly StoredLayer[],
): Promise<readonly { diffId: string; fragment: Fragment }[]> {
  const byDiffId = new Map(layers.map((layer) => [layer.diffId, layer.fragment]));
  const readable = [];
  for (const diffId of image.diffIds) {
    const encoded = byDiffId.get(diffId);
    if (encoded) readable.push({ diffId, fragment: await decodeFragment(encoded) });
  }
  return readable;
}

/** Keeps what an image holds; the layers of the contents are counted in `diffIds`. */
async function keepPackages(
  sql: Sql,
  image: ImageRow,
  { packages, os }: ImageContents,
  diffIds: readonly string[],
): Promise<void> {
  const kept = await upsertPackages(
    sql,
    packages.map((each) => ({ purl: each.purl, key: packageKeys(each, os)[0] })),
  );
  const unmatched = kept.filter((row) => !row.matched);
  await markKeys(
    sql,
    unmatched.flatMap((row) => row.key ?? []),
  );
  const ids = new Map(kept.map(({ id, purl }) => [purl, id]));
  // Of a system without advisories, what its packages brought along is better judged by others than not at all.
  const systemIsJudged = packages.some((each) => isOfSystem(each) && packageKeys(each, os).length > 0);
  await replaceImagePackages(
    sql,
    image.digest,
    packages.flatMap((each) => {
      const { purl, layer, locations, loaded = false } = each;
      const packageId = ids.get(purl);
      if (packageId === undefined) return [];
      return {
        packageId,
        layer: diffIds[layer] ?? '',
        locations: locations.map(({ path }) => path),
        bySystem: systemIsJudged && !isOfSystem(each) && locations.every(({ owned }) => owned),
        loaded,
      };
    }),
  );
}
