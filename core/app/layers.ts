import { createHash } from 'node:crypto';
import { isDeepStrictEqual } from 'node:util';
import { chainIds, decodeFragment, describePlatform, type Fragment, parseImageConfig } from '@gatehouse/sbom';
import type { NodeName } from '../datastore/aliases.ts';
import type { Sql } from '../datastore/database.ts';
import { hasImageWithLayer, type ImageRecord, imagesToCompose, insertImage } from '../datastore/images.ts';
import { insertFragment, insertUnreadable, type LayerKey, unknownLayers } from '../datastore/layers.ts';
import { CoreError } from '../errors.ts';
import type { App } from './app.ts';
import { aliases, diffIds, digest, shortText } from './names.ts';
import { hearOf } from './nodes.ts';

/** An image as a node describes it. */
export interface ImageDescription {
  readonly digest: string;
  readonly platform: string;
  readonly diffIds: readonly string[];
  readonly aliases: readonly string[];
  /** The configuration, which proves the platform and the diff ids; empty if it is not sent along. */
  readonly config: Uint8Array;
}

/**
 * Makes an image known; gives the diff ids of the layers that are missing, and whether nobody has proven yet what the
 * image is made of. What is proven stands against what anyone else says.
 */
export async function missingLayers(
  app: App,
  node: NodeName,
  description: ImageDescription,
  catalogerVersion: string,
): Promise<{ readonly diffIds: readonly string[]; readonly configWanted: boolean }> {
  const said = describedImage(description);
  const names = aliases(description.aliases).map((alias) => ({
    alias,
    image: said.digest,
  }));
  return app.database.transaction(async (sql) => {
    const image = await insertImage(sql, said);
    if (!isDeepStrictEqual([image.platform, ...image.diffIds], [said.platform, ...said.diffIds])) {
      app.log.error(
        { image: said.digest, source: nameOf(node), kept: image.diffIds, got: said.diffIds },
        'a node says that an image is made of something else',
      );
    }
    await hearOf(app, sql, node, { runtime: '', names, complete: false });
    // This node may be able to read what others could not, or what it could not before.
    const layers = withChains(image.diffIds);
    const missing = await unknownLayers(sql, layers, catalogerVersion, { orUnreadable: true });
    if (missing.length === 0 && image.composedBy !== catalogerVersion) {
      await app.jobs.send(sql, 'compose-image', { image: image.digest, catalogerVersion });
    }
    return { diffIds: missing, configWanted: !image.proven };
  });
}

/** What a description says of an image: by its configuration, if that is sent, which must be the one it is called by. */
function describedImage(description: ImageDescription): ImageRecord {
  const name = digest('image.digest', description.digest);
  if (description.config.length === 0) {
    return {
      digest: name,
      platform: shortText('image.platform', description.platform),
      diffIds: diffIds('image.diff_ids', description.diffIds),
      proven: false,
    };
  }
  const actual = `sha256:${createHash('sha256').update(description.config).digest('hex')}`;
  if (actual !== name) {
    throw new CoreError('invalid_request', `image.config has the digest ${actual}, not ${name}`);
  }
  try {
    const { platform, diffIds: proven } = parseImageConfig(Buffer.from(description.config));
    return { digest: name, platform: describePlatform(platform), diffIds: proven, proven: true };
  } catch (cause) {
    throw new CoreError('invalid_request', `image.config of ${name} is not the configuration of an image`, {
      cause,
    });
  }
}

/** A layer's fragment as it came over the wire. */
export interface LayerUpload {
  readonly diffId: string;
  readonly catalogerVersion: string;
  readonly chainId: string;
  readonly contentDigest: string;
  readonly content: Buffer;
}

/** Keeps what one layer says, and has the images composed that waited for it only. Doing it twice is harmless. */
export async function storeLayer(app: App, node: NodeName, upload: LayerUpload): Promise<void> {
  const contentDigest = `sha256:${createHash('sha256').update(upload.content).digest('hex')}`;
  if (contentDigest !== upload.contentDigest) {
    throw new CoreError(
      'layer_broken',
      `the content of layer ${upload.diffId} has another digest than announced`,
    );
  }
  const { opacity } = await parseFragment(upload);
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
    await insertUnreadable(sql, key, { reason: shortText('reason', report.reason), source });
    await composeWhatIsWhole(app, sql, key);
  });
}

function nameOf(node: NodeName): string {
  return `${node.cluster}/${node.node}`;
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

async function parseFragment(upload: LayerUpload): Promise<Fragment> {
  let fragment: Fragment;
  try {
    fragment = await decodeFragment(upload.content);
  } catch (cause) {
    throw new CoreError('layer_broken', `the content of layer ${upload.diffId} is not a fragment`, { cause });
  }
  if (fragment.cataloger === upload.catalogerVersion) return fragment;
  throw new CoreError(
    'layer_broken',
    `layer ${upload.diffId} was cataloged by another version than announced`,
  );
}

/** A layer is of use only to images, and those are named first; all else would fill the store. */
async function mustBeExpected(sql: Sql, key: LayerKey, source: string): Promise<void> {
  if (await hasImageWithLayer(sql, key.diffId)) return;
  throw new CoreError('layer_not_expected', `${source} sent layer ${key.diffId}, which no known image has`);
}

async function composeWhatIsWhole(app: App, sql: Sql, key: LayerKey): Promise<void> {
  for (const image of await imagesToCompose(sql, key.diffId, key.catalogerVersion)) {
    const { catalogerVersion } = key;
    const missing = await unknownLayers(sql, withChains(image.diffIds), catalogerVersion);
    if (missing.length === 0)
      await app.jobs.send(sql, 'compose-image', { image: image.digest, catalogerVersion });
  }
}
