import { createHash } from 'node:crypto';
import { CATALOGER_VERSION, decodeFragment, type Fragment } from '@gatehouse/sbom';
import type { NodeName } from '../datastore/aliases.ts';
import type { Sql } from '../datastore/database.ts';
import { hasImageWithLayer, type ImageRow, imagesToCompose, outdatedImages } from '../datastore/images.ts';
import { insertFragment, insertUnreadable, type LayerKey, unknownLayers } from '../datastore/layers.ts';
import { endLease, endLeases } from '../datastore/leases.ts';
import { CoreError } from '../errors.ts';
import type { App } from './app.ts';
import { decoding } from './fragments.ts';
import { digest, reasonText, shortText } from './names.ts';
import { nameOf } from './nodes.ts';
import { mayReplace, versionsBehind } from './versions.ts';

/** Far more than a core composes from one sweep to the next. */
const MAX_RENEWED = 1_000;

/** A fragment as it came over the wire. */
export interface FragmentUpload {
  readonly catalogerVersion: string;
  readonly contentDigest: string;
  readonly content: Buffer;
}

/** The one of a layer. */
export interface LayerUpload extends FragmentUpload {
  readonly diffId: string;
  readonly chainId: string;
}

/** Keeps what one layer says, and has the images composed that waited for it only. Doing it twice is harmless. */
export async function storeLayer(app: App, node: NodeName, upload: LayerUpload): Promise<void> {
  const { contentDigest } = upload;
  const { opacity } = await parseFragment(`layer ${upload.diffId}`, upload);
  const key = layerKey({ ...upload, chainId: opacity === 'chain' ? digest('chain_id', upload.chainId) : '' });
  const source = nameOf(node);
  await app.database.transaction(async (sql) => {
    await mustBeExpected(sql, key, source);
    const kept = await insertFragment(sql, key, { content: upload.content, digest: contentDigest, source });
    if (kept !== contentDigest) {
      // Cataloging is deterministic, so one of the two nodes is broken or lies. The first word stands.
      app.log.error(
        { layer: key.diffId, source, kept, got: contentDigest },
        'two nodes say different things of a layer',
      );
    }
    await endLease(sql, key.diffId, key.catalogerVersion);
    await composeWhatIsWhole(app, sql, key);
  });
}

/** Notes that a node cannot read a layer anywhere; its images go on without it, as partial ones. */
export async function layerUnreadable(
  app: App,
  node: NodeName,
  report: { diffId: string; catalogerVersion: string; reason: string },
): Promise<void> {
  const key = layerKey({ ...report, chainId: '' });
  const source = nameOf(node);
  await app.database.transaction(async (sql) => {
    await mustBeExpected(sql, key, source);
    await insertUnreadable(sql, key, { reason: reasonText(report.reason), source });
    const { catalogerVersion } = key;
    await endLeases(sql, node, { diffIds: [key.diffId], catalogerVersion });
    await composeWhatIsWhole(app, sql, key);
  });
}

function layerKey(layer: { diffId: string; catalogerVersion: string; chainId: string }): LayerKey {
  return {
    diffId: digest('diff_id', layer.diffId),
    catalogerVersion: shortText('cataloger_version', layer.catalogerVersion),
    chainId: layer.chainId,
  };
}

/** The fragment that was uploaded of `what`. Throws CoreError `layer_broken`. */
export async function parseFragment(what: string, upload: FragmentUpload): Promise<Fragment> {
  const contentDigest = `sha256:${createHash('sha256').update(upload.content).digest('hex')}`;
  if (contentDigest !== upload.contentDigest)
    throw new CoreError('layer_broken', `the content of ${what} has another digest than announced`);
  let fragment: Fragment;
  using _turn = await decoding.take();
  try {
    fragment = await decodeFragment(upload.content);
  } catch (cause) {
    throw new CoreError('layer_broken', `the content of ${what} is not a fragment`, { cause });
  }
  if (fragment.cataloger === upload.catalogerVersion) return fragment;
  throw new CoreError('layer_broken', `${what} was cataloged by another version than announced`);
}

/** A layer is of use only to images, and those are named first; all else would fill the store. */
async function mustBeExpected(sql: Sql, key: LayerKey, source: string): Promise<void> {
  if (await hasImageWithLayer(sql, key.diffId)) return;
  throw new CoreError('layer_not_expected', `${source} sent layer ${key.diffId}, which no known image has`);
}

async function composeWhatIsWhole(app: App, sql: Sql, key: LayerKey): Promise<void> {
  for (const image of await imagesToCompose(sql, key.diffId, key.catalogerVersion))
    await composeIfWhole(app, sql, image, key.catalogerVersion);
}

/**
 * Has images composed of what the core's own catalogers read, where others' was taken for want of it: after an update
 * agents may have brought that before the core that wants it was there, and they do not ask again.
 */
export async function renewOutdated(app: App): Promise<void> {
  for (const image of await outdatedImages(app.database, CATALOGER_VERSION, MAX_RENEWED))
    await composeIfWhole(app, app.database, image, CATALOGER_VERSION);
}

/** Has an image composed once something was said of each of its layers, if that would count. */
export async function composeIfWhole(
  app: App,
  sql: Sql,
  image: ImageRow,
  catalogerVersion: string,
): Promise<void> {
  if (!mayReplace(image, catalogerVersion)) return;
  const missing = await unknownLayers(sql, image.diffIds, versionsBehind(catalogerVersion));
  if (missing.length === 0)
    await app.jobs.send(sql, 'compose-image', { image: image.digest, catalogerVersion });
}
