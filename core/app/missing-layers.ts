import { createHash } from 'node:crypto';
import { isDeepStrictEqual } from 'node:util';
import { describePlatform, parseImageConfig } from '@gatehouse/sbom';
import type { NodeName } from '../datastore/aliases.ts';
import { hasRoot } from '../datastore/container-roots.ts';
import type { Sql } from '../datastore/database.ts';
import { findImage, type ImageRecord, insertImage } from '../datastore/images.ts';
import { unknownLayers } from '../datastore/layers.ts';
import { endLeases, leasesOn, renewLeases, takeLeases } from '../datastore/leases.ts';
import { CoreError } from '../errors.ts';
import type { App } from './app.ts';
import { composeIfWhole } from './layers.ts';
import { aliases, diffIds, digest, MAX_LAYERS, shortText } from './names.ts';
import { hearOf, nameOf } from './nodes.ts';
import { mustHaveRoom } from './unproven-images.ts';

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
    if (said && !said.proven) await mustHaveRoom(sql, node, name);
    const inserted = said && (await insertImage(sql, said, nameOf(node)));
    const image = inserted ?? (await findImage(sql, name));
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
    const isWhole = handedOut.diffIds.length + handedOut.leased.length === 0;
    if (isWhole && (inserted?.isNews || image.composedBy !== version))
      await composeIfWhole(app, sql, image, version);
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
  // This node may be able to read what others could not, or what it could not before.
  const unknown = () => unknownLayers(sql, image.diffIds, [catalogerVersion], { orUnreadable: true });
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
