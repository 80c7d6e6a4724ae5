import { setTimeout as delay } from 'node:timers/promises';
import type { MessageInitShape } from '@bufbuild/protobuf';
import { type Log, noLog } from '@gatehouse/lib/log.ts';
import { backoffDelay } from '@gatehouse/lib/retry.ts';
import {
  type ImageSchema,
  Layers,
  type UploadLayerRequestSchema,
} from '@gatehouse/proto/gen/gatehouse/v1/layers_pb.ts';
import {
  Nodes,
  type ReportNodeRequestSchema,
  type ReportRuntimeFactsRequestSchema,
} from '@gatehouse/proto/gen/gatehouse/v1/nodes_pb.ts';
import { Verdicts } from '@gatehouse/proto/gen/gatehouse/v1/verdicts_pb.ts';
import { Connection, type CoreEndpoint, toCoreClientError } from './connection.ts';

/** An image as its node knows it. */
export type ImageDescription = Omit<MessageInitShape<typeof ImageSchema>, '$typeName'>;
/** All that a node has and runs. */
export type NodeReport = Omit<MessageInitShape<typeof ReportNodeRequestSchema>, '$typeName'>;

/** What the core lacks of an image. */
export interface MissingLayers {
  /** The diff ids of layers that are this node's to bring, by a lease. */
  readonly diffIds: readonly string[];
  /** Call again with platform, layers and configuration. */
  readonly descriptionWanted: boolean;
  /** Layers that other nodes bring, and when to ask whether they have. */
  readonly leased: readonly { readonly diffId: string; readonly endsInMs: number }[];
  /** How long the leases last unless they are renewed. */
  readonly leaseMs: number;
  /** If one of the layers cannot be read: bring what a running container of the image shows. */
  readonly rootWanted: boolean;
}

/** What a container was seen to run. */
export type RuntimeFacts = Omit<MessageInitShape<typeof ReportRuntimeFactsRequestSchema>, '$typeName'>;

/** A fragment, encoded. */
interface FragmentUpload {
  readonly catalogerVersion: string;
  readonly content: Buffer;
  /** SHA-256 of the content, as sha256:HEX. */
  readonly contentDigest: string;
}

/** What one layer says. */
export interface LayerUpload extends FragmentUpload {
  readonly diffId: string;
  /** The layer together with all below it. */
  readonly chainId: string;
}

/** What the root of a running container of an image says. */
export interface RootUpload extends FragmentUpload {
  readonly image: string;
}

/** How far a caller has read the verdicts of a store. */
export interface VerdictPosition {
  /** Empty if nothing was read yet. */
  readonly store: string;
  readonly revision: number;
}

/** A change of what the core thinks of an image; `verdict` is JSON, absent if the image is gone. */
export interface VerdictChange {
  readonly image: string;
  readonly aliases: readonly string[];
  readonly verdict: string | undefined;
}

/** Who takes in what the stream brings, in order. */
export interface VerdictFollower {
  /** Where to begin or go on. */
  position(): VerdictPosition;
  /** Everything of the store so far is to be forgotten: it is another one. */
  reset(store: string): void;
  /** The changes up to the position; with `caughtUp`, nothing newer was there. */
  apply(changes: readonly VerdictChange[], position: VerdictPosition, caughtUp: boolean): void;
  /** The stream broke; it is opened again by itself. */
  interrupted(error: Error): void;
}

/** Chunks well under the 4 MiB that gRPC takes in a message, large enough to cost few of them. */
const UPLOAD_CHUNK_BYTES = 256 * 1024;
/** To ask what is kept of an upload costs a call; less than this is sent in one or two seconds over any line. */
const MIN_RESUMABLE_BYTES = 1024 * 1024;
/** The core says "caught up" every 10 s even if nothing happens; three missed ones mean that it is gone. */
const SILENCE_LIMIT_MS = 30_000;
const RECONNECT_BACKOFF = { first: 250, most: 10_000 };

/** The one door to the core for agents and webhooks. All calls throw CoreClientError. */
export class CoreClient implements Disposable {
  readonly #connection: Connection;
  readonly #endpoint: CoreEndpoint;
  readonly #log: Log;

  constructor(endpoint: CoreEndpoint, log: Log = noLog) {
    this.#endpoint = endpoint;
    this.#connection = new Connection(endpoint);
    this.#log = log;
  }

  /** Makes an image known; gives the layers of it that the core has not got from this cataloger version. */
  async missingLayers(
    image: ImageDescription,
    catalogerVersion: string,
    signal?: AbortSignal,
  ): Promise<MissingLayers> {
    const { diffIds, descriptionWanted, leased, leaseMs, rootWanted } = await this.#connection.call(
      Layers,
      (client, settings) => client.missingLayers({ image, catalogerVersion }, settings),
      signal,
    );
    return {
      diffIds,
      descriptionWanted,
      leased: leased.map(({ diffId, endsInMs }) => ({ diffId, endsInMs })),
      leaseMs,
      rootWanted,
    };
  }

  /** Renews the leases on layers that this node still works at, or ends those on layers that it will not bring. */
  async holdLayers(
    layers: { diffIds: readonly string[]; catalogerVersion: string; release: boolean },
    signal?: AbortSignal,
  ): Promise<void> {
    const { catalogerVersion, release } = layers;
    await this.#connection.call(
      Layers,
      (client, settings) =>
        client.holdLayers({ diffIds: [...layers.diffIds], catalogerVersion, release }, settings),
      signal,
    );
  }

  /** Sends what a layer says. A large one that broke off goes on from where it was, in this call or a later one. */
  async uploadLayer(layer: LayerUpload | RootUpload, signal?: AbortSignal): Promise<void> {
    const { content, contentDigest } = layer;
    await this.#connection.call(
      Layers,
      async (client, settings) => {
        const isResumable = content.length >= MIN_RESUMABLE_BYTES;
        const { bytes } = isResumable ? await client.keptUpload({ contentDigest }, settings) : { bytes: 0n };
        return client.uploadLayer(uploadParts(layer, Number(bytes)), settings);
      },
      signal,
    );
  }

  /** Says that this node has given an image up, and why. */
  async reportFailedImage(image: { digest: string; reason: string }, signal?: AbortSignal): Promise<void> {
    await this.#connection.call(
      Layers,
      (client, settings) => client.reportFailedImage(image, settings),
      signal,
    );
  }

  /** Says that the layer can be read nowhere on this node. */
  async reportUnreadableLayer(
    layer: { diffId: string; catalogerVersion: string; reason: string },
    signal?: AbortSignal,
  ): Promise<void> {
    await this.#connection.call(
      Layers,
      (client, settings) => client.reportUnreadableLayer(layer, settings),
      signal,
    );
  }

  /** Replaces what the core knows of this node; gives the images that the core has no layers for. */
  async reportNode(report: NodeReport, signal?: AbortSignal): Promise<readonly string[]> {
    const response = await this.#connection.call(
      Nodes,
      (client, settings) => client.reportNode(report, settings),
      signal,
    );
    return response.unknownImages;
  }

  /** Says what a container runs; false if the core does not know the container or its image yet. */
  async reportRuntimeFacts(facts: RuntimeFacts, signal?: AbortSignal): Promise<boolean> {
    const response = await this.#connection.call(
      Nodes,
      (client, settings) => client.reportRuntimeFacts(facts, settings),
      signal,
    );
    return response.known;
  }

  /** Brings all verdicts to the follower and keeps doing so, through breaks, until the signal ends it. */
  async followVerdicts(follower: VerdictFollower, signal: AbortSignal): Promise<void> {
    for (let attempt = 0; !signal.aborted; attempt++) {
      const silence = new AbortController();
      const watchdog = setTimeout(() => silence.abort(), SILENCE_LIMIT_MS);
      try {
        await this.#readVerdicts(follower, AbortSignal.any([signal, silence.signal]), () => {
          watchdog.refresh();
          attempt = 0;
        });
      } catch (error) {
        if (signal.aborted) return;
        const reason = toCoreClientError(error, this.#endpoint.address);
        this.#log.warn({ err: reason, attempt }, 'verdict stream interrupted');
        follower.interrupted(reason);
      } finally {
        clearTimeout(watchdog);
      }
      await delay(backoffDelay(RECONNECT_BACKOFF, attempt), undefined, { signal }).catch(() => undefined);
    }
  }

  async #readVerdicts(follower: VerdictFollower, signal: AbortSignal, heard: () => void): Promise<void> {
    const { client, metadata } = await this.#connection.open(Verdicts);
    const { store, revision } = follower.position();
    let current = store;
    for await (const message of client.watchVerdicts(
      { store, revision: BigInt(revision) },
      { signal, metadata },
    )) {
      heard();
      if (message.store !== current) {
        current = message.store;
        follower.reset(current);
      }
      const changes = message.changes.map(({ image, aliases, verdict }) => ({
        image,
        aliases,
        verdict: verdict === '' ? undefined : verdict,
      }));
      follower.apply(changes, { store: current, revision: Number(message.revision) }, message.caughtUp);
    }
  }

  [Symbol.dispose](): void {
    this.#connection[Symbol.dispose]();
  }
}

async function* uploadParts(
  { content, ...layer }: LayerUpload | RootUpload,
  offset: number,
): AsyncGenerator<MessageInitShape<typeof UploadLayerRequestSchema>, void, undefined> {
  const header = { ...layer, contentSize: BigInt(content.length), offset: BigInt(offset) };
  yield { part: { case: 'header', value: header } };
  for (let start = offset; start < content.length; start += UPLOAD_CHUNK_BYTES) {
    yield { part: { case: 'content', value: content.subarray(start, start + UPLOAD_CHUNK_BYTES) } };
  }
}
