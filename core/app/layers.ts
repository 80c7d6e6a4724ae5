import { createHash } from 'node:crypto';
import { chainIds, decodeFragment, type Fragment } from '@gatehouse/sbom';
import type { NodeName } from '../datastore/aliases.ts';
import type { Sql } from '../datastore/database.ts';
import { hasImageWithLayer, type ImageRecord, imagesToCompose } from '../datastore/images.ts';
import { insertFragment, insertUnreadable, type LayerKey, unknownLayers } from '../datastore/layers.ts';
import { endLease, endLeases } from '../datastore/leases.ts';
import { CoreError } from '../errors.ts';
import type { App } from './app.ts';
import { digest, reasonText, shortText } from './names.ts';
import { nameOf } from './nodes.ts';

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

/** The layers of an image beside their chains. */
export function withChains(ids: readonly string[]): {
  diffIds: readonly string[];
  chainIds: readonly string[];
} {
  return { diffIds: ids, chainIds: chainIds(ids) };
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

/** Has an image composed once something was said of each of its layers. */
export async function composeIfWhole(
  app: App,
  sql: Sql,
  image: Pick<ImageRecord, 'digest' | 'diffIds'>,
  catalogerVersion: string,
): Promise<void> {
  const missing = await unknownLayers(sql, withChains(image.diffIds), catalogerVersion);
  if (missing.length === 0)
    await app.jobs.send(sql, 'compose-image', { image: image.digest, catalogerVersion });
}
