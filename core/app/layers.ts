import { createHash } from 'node:crypto';
import { isDeepStrictEqual } from 'node:util';
import { chainIds, decodeFragment, describePlatform, type Fragment, parseImageConfig } from '@gatehouse/sbom';
import type { NodeName } from '../datastore/aliases.ts';
import { hasRoot } from '../datastore/container-roots.ts';
import type { Sql } from '../datastore/database.ts';
import {
  findImage,
  hasImageWithLayer,
  type ImageRecord,
  imagesToCompose,
  insertImage,
} from '../datastore/images.ts';
import { insertFragment, insertUnreadable, type LayerKey, unknownLayers } from '../datastore/layers.ts';
import { endLease, endLeases, leasesOn, renewLeases, takeLeases } from '../datastore/leases.ts';
import { CoreError } from '../errors.ts';
import type { App } from './app.ts';
import { aliases, diffIds, digest, MAX_LAYERS, shortText } from './names.ts';
import { hearOf } from './nodes.ts';

/**
 * A node renews its leases three times in this span while it works; one that died keeps the others from its layers for
 * no longer. Most images take seconds.
 */
const LEASE_MS = 120_000;
/** The layers of the largest image: agents bring one image after another. */
const MAX_LEASES = MAX_LAYERS;
/** A lease that is just ending is no reason to ask again at once. */
const LEAST_WAIT_MS = 1_000;

/** An image as a node describes it: in full when it was asked for that, else by its names alone. */
export interface ImageDescription {
  readonly digest: string;
  readonly platform: string;
  readonly diffIds: readonly string[];
  readonly aliases: readonly string[];
  /** The configuration, which proves the platform and the diff ids; empty if it is not sent along. */
  readonly config: Uint8Array;
}

/** What a node is told of an image that it has. */
export interface MissingLayers {
  /** Layers that are its to bring, by a lease. */
  readonly diffIds: readonly string[];
  /** Nobody has proven yet what the image is made of. */
  readonly descriptionWanted: boolean;
  /** Layers that other nodes work at. */
  readonly leased: readonly { readonly diffId: string; readonly endsInMs: number }[];
  readonly leaseMs: number;
  /** Nobody has brought what a container of the image shows. */
  readonly rootWanted: boolean;
}

/**
 * Makes an image known, as far as it is described; hands out the layers that are missing. What is proven stands against
 * what anyone else says.
 */
export async function missingLayers(
  app: App,
  node: NodeName,
  description: ImageDescription,
  catalogerVersion: string,
): Promise<MissingLayers> {
  const name = digest('image.digest', description.digest);
  const said = describedImage(name, description);
  const names = aliases(description.aliases).map((alias) => ({ alias, image: name }));
  const version = shortText('cataloger_version', catalogerVersion);
  return app.database.transaction(async (sql) => {
    const image = said ? await insertImage(sql, said) : await findImage(sql, name);
    if (!image) return nothing;
    if (said && !isDeepStrictEqual([image.platform, ...image.diffIds], [said.platform, ...said.diffIds])) {
      app.log.error(
        { image: name, source: nameOf(node), kept: image.diffIds, got: said.diffIds },
        'a node says that an image is made of something else',
      );
    }
    await hearOf(app, sql, node, { runtime: '', names, complete: false });
    if (!said && !image.proven) return nothing;
    const handedOut = await handOut(sql, node, image, version);
    if (handedOut.diffIds.length + handedOut.leased.length === 0 && image.composedBy !== version) {
      await app.jobs.send(sql, 'compose-image', { image: name, catalogerVersion: version });
    }
    const rootWanted = handedOut.diffIds.length > 0 && !(await hasRoot(sql, name, version));
    return { ...handedOut, descriptionWanted: !image.proven, leaseMs: LEASE_MS, rootWanted };
  });
}

const nothing: MissingLayers = {
  diffIds: [],
  descriptionWanted: true,
  leased: [],
  leaseMs: LEASE_MS,
  rootWanted: false,
};

/** Leases to a node the missing layers of an image that no other node works at. Last in a transaction: it locks them. */
async function handOut(
  sql: Sql,
  node: NodeName,
  image: ImageRecord,
  catalogerVersion: string,
): Promise<Pick<MissingLayers, 'diffIds' | 'leased'>> {
  const layers = withChains(image.diffIds);
  // This node may be able to read what others could not, or what it could not before.
  const unknown = () => unknownLayers(sql, layers, catalogerVersion, { orUnreadable: true });
  const wanted = await unknown();
  if (wanted.length === 0) return { diffIds: [], leased: [] };
  const terms = { ms: LEASE_MS, most: MAX_LEASES };
  const taken = await takeLeases(sql, node, { diffIds: wanted, catalogerVersion }, terms);
  // Somebody may have brought a layer, and ended the lease on it, between the look and the taking.
  const missing = await unknown();
  const brought = [...taken].filter((diffId) => !missing.includes(diffId));
  if (brought.length > 0) await endLeases(sql, node, { diffIds: brought, catalogerVersion });
  const others = missing.filter((diffId) => !taken.has(diffId));
  const leases = await leasesOn(sql, { diffIds: others, catalogerVersion });
  const endsIn = (diffId: string): number => Math.max(leases.get(diffId) ?? LEASE_MS, LEAST_WAIT_MS);
  return {
    diffIds: missing.filter((diffId) => taken.has(diffId)),
    leased: others.map((diffId) => ({ diffId, endsInMs: endsIn(diffId) })),
  };
}

/** Renews a node's leases on layers that it still works at, or ends those that it will not bring. */
export async function holdLayers(
  app: App,
  node: NodeName,
  request: { diffIds: readonly string[]; catalogerVersion: string; release: boolean },
): Promise<void> {
  const layers = {
    diffIds: diffIds('diff_ids', request.diffIds),
    catalogerVersion: shortText('cataloger_version', request.catalogerVersion),
  };
  if (request.release) await endLeases(app.database, node, layers);
  else await renewLeases(app.database, node, layers, LEASE_MS);
}

/**
 * What a description says of an image, if anything: by its configuration, if that is sent, which must be the one it is
 * called by.
 */
function describedImage(name: string, description: ImageDescription): ImageRecord | undefined {
  if (description.config.length === 0) {
    if (description.diffIds.length === 0) return undefined;
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
    await insertUnreadable(sql, key, { reason: shortText('reason', report.reason), source });
    const { catalogerVersion } = key;
    await endLeases(sql, node, { diffIds: [key.diffId], catalogerVersion });
    await composeWhatIsWhole(app, sql, key);
  });
}

export function nameOf(node: NodeName): string {
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
