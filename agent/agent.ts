import { createHash } from 'node:crypto';
import { setTimeout as delay } from 'node:timers/promises';
import { CoreClientError } from '@gatehouse/core-client';
import { explain } from '@gatehouse/lib/errors.ts';
import type { Log } from '@gatehouse/lib/log.ts';
import { type Backoff, backoffDelay } from '@gatehouse/lib/retry.ts';
import { Ahead } from './ahead.ts';
import { boundedInventory } from './bounded-inventory.ts';
import { type CoreForAgents, isRejected } from './bring-layer.ts';
import type { LayerCataloger } from './cataloger/cataloger.ts';
import { AgentError } from './errors.ts';
import { ImageStates, spread } from './image-states.ts';
import { bringImage, originOf } from './image-worker.ts';
import { giveBackMemory } from './memory.ts';
import type { AgentMetrics } from './metrics.ts';
import type { Outbox } from './outbox.ts';
import { Progress } from './progress.ts';
import type { Registries } from './registry-layers.ts';
import { type FactsPlan, RuntimeFacts } from './runtime-facts/runtime-facts.ts';
import type { Inventory, Runtime, RuntimeImage } from './runtimes/runtime.ts';

/** What an agent is made of. */
export interface AgentParts {
  readonly runtime: Runtime;
  readonly core: CoreForAgents;
  readonly cataloger: LayerCataloger;
  /** Without one nothing is cataloged while the core is away. */
  readonly outbox?: Outbox | undefined;
  /** Without them nothing is asked for that the node has not kept. */
  readonly registries?: Registries | undefined;
  readonly metrics: AgentMetrics;
  readonly log: Log;
  /** Milliseconds between two looks at the node if nothing happens; each is up to half shorter, so that nodes spread. */
  readonly relist: number;
  /** How soon an image that failed is tried again. */
  readonly retry?: Backoff;
  /** When to look at what containers run; left out, nobody looks. */
  readonly facts?: FactsPlan | undefined;
  /** Called when everything on the node was looked at for the first time. */
  readonly onFirstLook?: () => void;
}

/** Events come in bursts, as a pod has several containers; this gathers one burst. */
const SETTLE_MS = 200;
/** An unchanged node says that it is alive this often. */
const HEARTBEAT_MS = 300_000;
/** After the runtime has ended its stream of events, it is asked for another one, for it may have been restarted. */
const WATCH_BACKOFF = { first: 1_000, most: 60_000 };
/** If the runtime or the core is away, the next look comes sooner than a regular one. */
const FAILURE_BACKOFF = { first: 1_000, most: 30_000 };
/**
 * After so many failed looks, half a minute, what cannot be asked about is cataloged ahead. A core that was replaced is
 * back by then; and where agents were replaced with it, none of them knows any more what it has.
 */
const AHEAD_AFTER_FAILURES = 5;

/**
 * Watches a node and brings to the core whatever of its images that lacks, until the signal aborts.
 * Whatever fails is tried again at the next look.
 */
export async function runAgent(parts: AgentParts, signal: AbortSignal): Promise<void> {
  const agent = new Agent(parts);
  const watching = Promise.all([agent.watch(signal), agent.facts?.run(signal)]);
  for (let failures = 0; !signal.aborted; ) {
    try {
      if (await agent.look(signal)) parts.onFirstLook?.();
      failures = 0;
      await agent.pause(spread(parts.relist), signal);
    } catch (err) {
      if (signal.aborted) break;
      if (err instanceof CoreClientError)
        parts.log.warn(
          { err, waitingBytes: parts.outbox?.bytes },
          'the core does not answer; images wait until it does',
        );
      else parts.log.error({ err }, 'look at the node failed');
      agent.forgetLeases();
      failures++;
      const isAway = err instanceof CoreClientError && failures > AHEAD_AFTER_FAILURES;
      if (isAway && (await agent.catalogOneAhead(signal))) continue;
      await agent.pause(Math.min(parts.relist, backoffDelay(FAILURE_BACKOFF, failures - 1)), signal);
    }
  }
  await watching;
}

class Agent {
  readonly facts: RuntimeFacts | undefined;
  readonly #parts: AgentParts;
  readonly #images: ImageStates;
  /** While the core is away: what was cataloged ahead of it. */
  #ahead: Ahead | undefined;
  #changed = Promise.withResolvers<void>();
  #hasChanged = false;
  #reported: { hash: string; at: number } | undefined;

  constructor(parts: AgentParts) {
    this.#parts = parts;
    this.#images = new ImageStates(parts.retry);
    this.facts = parts.facts && new RuntimeFacts(parts, parts.facts);
  }

  /** Hears of changes as long as the runtime tells of them. */
  async watch(signal: AbortSignal): Promise<void> {
    const { runtime, log } = this.#parts;
    for (let attempt = 0; !signal.aborted; attempt++) {
      const began = Date.now();
      try {
        await runtime.watch(() => {
          this.#hasChanged = true;
          this.#changed.resolve();
        }, signal);
        if (attempt === 0)
          log.info({ runtime: runtime.title }, 'the runtime sends no events; looking regularly instead');
      } catch (err) {
        if (!signal.aborted) log.debug({ err }, 'events of the runtime broke off');
      }
      if (Date.now() - began > WATCH_BACKOFF.most) attempt = 0;
      await delay(backoffDelay(WATCH_BACKOFF, attempt), undefined, { signal }).catch(() => undefined);
    }
  }

  /** Returns when something has changed, when an image is to be tried that waited, or after `most` milliseconds. */
  async pause(most: number, signal: AbortSignal): Promise<void> {
    // A thousand images whose time comes one by one are no reason for a thousand looks.
    const ms = Math.min(most, Math.max(SETTLE_MS, this.#images.untilNextTry));
    const waiting = new AbortController();
    const end = { signal: AbortSignal.any([signal, waiting.signal]) };
    await Promise.race([
      this.#changed.promise.then(() => delay(SETTLE_MS, undefined, end)),
      delay(ms, undefined, end),
    ]).catch(() => undefined);
    waiting.abort();
    this.#changed = Promise.withResolvers();
    this.#hasChanged = false;
  }

  /** After a failure everything is asked for anew. */
  forgetLeases(): void {
    this.#images.forgetLeases();
  }

  /** Brings what the node has. False if it left that for another look, since what has just started comes first. */
  async look(signal: AbortSignal): Promise<boolean> {
    const { runtime, metrics, log } = this.#parts;
    const there = await runtime.inventory(signal);
    const inventory = boundedInventory(there);
    // What runs is looked at, and what waits is told, also while the core is away.
    this.facts?.update(inventory.containers);
    metrics.waiting.set(this.#images.todo(inventory).length);
    await this.#report(inventory, there, signal);
    this.#images.keepOnly(inventory.images);
    const todo = this.#images.todo(inventory);
    metrics.waiting.set(todo.length);
    const progress = new Progress(log, todo.length);
    try {
      for (const [index, image] of todo.entries()) {
        signal.throwIfAborted();
        if (index > 0 && this.#hasChanged) return false;
        await this.#bring(image, inventory, signal);
        metrics.waiting.dec();
        progress.step();
      }
    } finally {
      // On a busy node most looks break off.
      if (todo.length > 0) giveBackMemory();
    }
    this.#ahead = undefined;
    await this.#dropLeftovers();
    return true;
  }

  /** Once the core was asked about all images, it wants nothing of what waits still, but of images that are tried again. */
  async #dropLeftovers(): Promise<void> {
    const { outbox, metrics, log } = this.#parts;
    if (!outbox) return;
    if (!outbox.isEmpty && !this.#images.anyFailing) {
      log.info({ bytes: outbox.bytes }, 'the core has no use for the rest of what waited');
      await outbox.clear();
    }
    metrics.outboxBytes.set(outbox.bytes);
  }

  /** While the core is away: catalogs the next image whose layers it may lack; false if there is none, or no room. */
  async catalogOneAhead(signal: AbortSignal): Promise<boolean> {
    const { outbox, runtime } = this.#parts;
    if (!outbox) return false;
    this.#ahead ??= new Ahead({ ...this.#parts, outbox });
    // If the runtime fails too, the next look says so.
    const there = await runtime.inventory(signal).catch(() => undefined);
    if (!there) return false;
    const inventory = boundedInventory(there);
    return this.#ahead.next(
      { todo: this.#images.todo(inventory), done: this.#images.done },
      inventory,
      signal,
    );
  }

  /** Tells the core what the node has, if that has changed; and forgets as done what the core does not know. */
  async #report({ images, containers }: Inventory, there: Inventory, signal: AbortSignal): Promise<void> {
    const { core, log } = this.#parts;
    const report = {
      runtime: this.#parts.runtime.title,
      images: images.map(({ digest, aliases }) => ({ digest, aliases: [...aliases] })),
      containers: [...containers],
    };
    const hash = createHash('sha256').update(JSON.stringify(report)).digest('hex');
    if (this.#reported?.hash === hash && Date.now() - this.#reported.at < HEARTBEAT_MS) return;
    const leftOut = {
      images: there.images.length - images.length,
      containers: there.containers.length - containers.length,
    };
    if (leftOut.images + leftOut.containers > 0)
      log.warn(leftOut, 'the node has more than an agent takes in: so much is left out');
    const unknown = await core.reportNode(report, signal).catch((err: unknown) => {
      if (!isRejected(err)) throw err;
      // Whatever is wrong with it, images can be brought all the same.
      log.error({ err }, 'the core does not take the report of what the node has');
      return [];
    });
    for (const digest of unknown) {
      this.#images.lost(digest);
      this.facts?.forget(digest);
    }
    this.#reported = { hash, at: Date.now() };
  }

  async #bring(image: RuntimeImage, inventory: Inventory, signal: AbortSignal): Promise<void> {
    const origin = originOf(this.#parts.runtime, inventory, this.#parts.registries);
    const containers = inventory.containers.filter((each) => each.image === image.digest);
    try {
      const brought = await bringImage(this.#parts, origin, image, signal);
      this.#images.brought(image.digest, brought, containers);
    } catch (error) {
      signal.throwIfAborted();
      if (error instanceof AgentError && error.code === 'image_gone') return;
      // That is not the image's fault: all the others would fail in the same way.
      if (error instanceof CoreClientError && !isRejected(error)) throw error;
      const { attempts, isGivenUp } = this.#images.nextFailure(image.digest);
      const said = isGivenUp ? 'image given up for now' : `image failed: ${explain(error)}`;
      this.#parts.log.error({ err: error, image: image.digest, attempts }, said);
      if (isGivenUp) await this.#tellFailed(image.digest, error, signal);
      this.#images.failed(image.digest, containers);
    }
  }

  /** Each time anew, for the core may have lost it. */
  async #tellFailed(image: string, err: unknown, signal: AbortSignal): Promise<void> {
    const { core, log } = this.#parts;
    await core.reportFailedImage({ digest: image, reason: explain(err) }, signal).catch((cause: unknown) => {
      if (!isRejected(cause)) throw cause;
      log.warn({ err: cause, image }, 'the core does not want to know why');
    });
  }
}
