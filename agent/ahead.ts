import { type BringParts, catalog, isUnreadable, placesIn } from './bring-layer.ts';
import { type ImageOrigin, originOf } from './image-worker.ts';
import type { Outbox } from './outbox.ts';
import type { Inventory, Runtime, RuntimeImage } from './runtimes/runtime.ts';

interface AheadParts extends BringParts {
  readonly outbox: Outbox;
  readonly runtime: Runtime;
}

/** The work that goes on while the core is away: its layers wait in the outbox until it is asked which it lacks. */
export class Ahead {
  readonly #parts: AheadParts;
  readonly #images = new Set<string>();
  /** The layers of images that the core has. */
  #known: ReadonlySet<string> | undefined;
  #isFull = false;

  constructor(parts: AheadParts) {
    this.#parts = parts;
  }

  /**
   * Catalogs the first of the images that it has not got to yet, without the layers of those that the core has. False if
   * there is none, or no room.
   */
  async next(
    images: { readonly todo: readonly RuntimeImage[]; readonly done: Iterable<string> },
    inventory: Inventory,
    signal: AbortSignal,
  ): Promise<boolean> {
    const { outbox, runtime, metrics, log } = this.#parts;
    const image = images.todo.find(({ digest }) => !this.#images.has(digest));
    if (!image || this.#isFull) return false;
    this.#images.add(image.digest);
    try {
      this.#known ??= await this.#layersOf(images.done, signal);
      this.#isFull = !(await catalogAhead(
        this.#parts,
        originOf(runtime, inventory),
        image,
        this.#known,
        signal,
      ));
    } catch (err) {
      if (signal.aborted) return false;
      // It is tried again, and counted, when the core is back.
      log.warn({ err, image: image.digest }, 'image not cataloged ahead');
    }
    metrics.outboxBytes.set(outbox.bytes);
    if (this.#isFull) log.warn({ bytes: outbox.bytes }, 'the outbox is full, and the core still away');
    return true;
  }

  async #layersOf(images: Iterable<string>, signal: AbortSignal): Promise<ReadonlySet<string>> {
    const known = new Set<string>();
    for (const digest of images) {
      const layers = await this.#parts.runtime.layersOf(digest, signal).catch(() => undefined);
      for (const diffId of layers?.diffIds ?? []) known.add(diffId);
    }
    return known;
  }
}

/** Catalogs what the core may lack of an image into the outbox; false if that is full. */
async function catalogAhead(
  parts: AheadParts,
  origin: ImageOrigin,
  image: RuntimeImage,
  known: ReadonlySet<string>,
  signal: AbortSignal,
): Promise<boolean> {
  const { outbox, log } = parts;
  const layers = await origin.layersOf(image, signal);
  const unread = [...new Set(layers.diffIds)]
    .filter((diffId) => !known.has(diffId))
    .flatMap((diffId) => placesIn(image, layers, diffId))
    .filter((layer) => !outbox.has(layer));
  if (unread.length === 0) return true;
  await using places = await origin.placesOf(image, layers, signal);
  for (const layer of unread) {
    // What it said in a lower place may hold in all.
    if (outbox.has(layer)) continue;
    try {
      if (!(await outbox.put(await catalog(parts, places, layer, signal)))) return false;
    } catch (err) {
      // Said when the core asks for it.
      if (!isUnreadable(err)) throw err;
      log.debug({ err, image: image.digest, layer: layer.diffId }, 'layer unreadable');
    }
  }
  return true;
}
