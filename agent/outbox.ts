import { createHash } from 'node:crypto';
import { mkdir, open, readdir, readFile, rename, rm, stat } from 'node:fs/promises';
import { join } from 'node:path';
import type { LayerUpload } from '@gatehouse/core-client';
import type { Log } from '@gatehouse/lib/log.ts';
import { CATALOGER_VERSION, CATALOGER_VERSION_FORM, type Fragment } from '@gatehouse/sbom';
import { AgentError } from './errors.ts';

/** A node of 250 images has some thousand layers; the names of these are kept in memory. */
const MAX_FRAGMENTS = 10_000;
/** Layers that the core took in, for as long as this agent runs; beyond this the oldest are forgotten, and read again. */
const MAX_DELIVERED = 10_000;
const DIGEST_BYTES = 32;
const hexOf = (digest: string): string | undefined => /^sha256:([0-9a-f]{64})$/.exec(digest)?.[1];
const fileName = /^[0-9a-f]{64}-([0-9a-f]{64}|any)$/;
/** Written and not yet renamed when the agent ended. */
const UNFINISHED = '.unfinished';

/** A layer in the place that it has in an image. */
type PlacedLayer = Pick<LayerUpload, 'diffId' | 'chainId'>;

/** What a layer says, as it is sent, and above which others it holds. */
export interface Cataloged {
  readonly upload: LayerUpload;
  readonly opacity: Fragment['opacity'];
}

/**
 * Fragments that wait on disk while the core is away, within a bound, through restarts: a folder named by the version of
 * the catalogers, with a file a fragment, named by its layer and, where it holds above no other, the chain. What a crash
 * has torn, or somebody else has written, does not have the digest that it begins with, and is thrown away.
 */
export class Outbox {
  readonly #folder: string;
  readonly #maxBytes: number;
  readonly #log: Log;
  /** The size of each file. */
  readonly #sizes = new Map<string, number>();
  readonly #delivered = new Set<string>();
  #bytes = 0;

  private constructor(folder: string, maxBytes: number, log: Log) {
    this.#folder = folder;
    this.#maxBytes = maxBytes;
    this.#log = log;
  }

  /** Opens the outbox in a folder, made if need be, of up to `maxBytes`. Throws AgentError `outbox_unusable`. */
  static async open(folder: string, maxBytes: number, log: Log): Promise<Outbox> {
    const outbox = new Outbox(join(folder, CATALOGER_VERSION), maxBytes, log);
    try {
      await mkdir(outbox.#folder, { recursive: true, mode: 0o700 });
      await dropOldVersions(folder);
      await outbox.#list();
    } catch (cause) {
      throw new AgentError('outbox_unusable', `cannot keep fragments in ${folder}`, { cause });
    }
    return outbox;
  }

  /** How much waits. */
  get bytes(): number {
    return this.#bytes;
  }

  get isEmpty(): boolean {
    return this.#sizes.size === 0;
  }

  /** Whether the layer waits here or was taken in by the core, so that there is no need to read it. */
  has(layer: PlacedLayer): boolean {
    return this.#delivered.has(layer.diffId) || namesOf(layer).some((name) => this.#sizes.has(name));
  }

  /** Keeps a fragment until it is delivered; false if there is no room, or the disk fails. */
  async put({ upload, opacity }: Cataloged): Promise<boolean> {
    const [any, chained] = namesOf(upload);
    const name = opacity === 'chain' ? chained : any;
    if (name === undefined) return false;
    if (this.#sizes.has(name)) return true;
    const size = DIGEST_BYTES + upload.content.length;
    if (this.#sizes.size >= MAX_FRAGMENTS || this.#bytes + size > this.#maxBytes) return false;
    try {
      await this.#write(name, upload.content);
    } catch (err) {
      this.#log.error({ err, layer: upload.diffId }, 'the outbox cannot be written to');
      return false;
    }
    this.#sizes.set(name, size);
    this.#bytes += size;
    return true;
  }

  /** What waits of a layer. */
  async read({ diffId, chainId }: PlacedLayer): Promise<Cataloged | undefined> {
    for (const [index, name] of namesOf({ diffId, chainId }).entries()) {
      if (!this.#sizes.has(name)) continue;
      const content = await this.#read(name);
      if (content === undefined) continue;
      const contentDigest = `sha256:${createHash('sha256').update(content).digest('hex')}`;
      const upload = { diffId, chainId, catalogerVersion: CATALOGER_VERSION, content, contentDigest };
      return { upload, opacity: index === 0 ? 'exact' : 'chain' };
    }
    return undefined;
  }

  /** The core has taken the layer in. */
  async delivered(layer: PlacedLayer): Promise<void> {
    this.#delivered.add(layer.diffId);
    const [oldest] = this.#delivered;
    if (this.#delivered.size > MAX_DELIVERED && oldest !== undefined) this.#delivered.delete(oldest);
    await this.drop(layer);
  }

  /** Nobody wants the layer as it waits here. */
  async drop(layer: PlacedLayer): Promise<void> {
    for (const name of namesOf(layer)) await this.#remove(name);
  }

  /** Throws everything away that waits. */
  async clear(): Promise<void> {
    for (const name of [...this.#sizes.keys()]) await this.#remove(name);
  }

  async #list(): Promise<void> {
    for (const name of await readdir(this.#folder)) {
      if (name.endsWith(UNFINISHED)) await rm(join(this.#folder, name));
      if (!fileName.test(name)) continue;
      const { size } = await stat(join(this.#folder, name));
      this.#sizes.set(name, size);
      this.#bytes += size;
    }
  }

  /** All of it or nothing is there afterwards, and stays through a loss of power. */
  async #write(name: string, content: Buffer): Promise<void> {
    const path = join(this.#folder, name);
    const unfinished = path + UNFINISHED;
    try {
      await using file = await open(unfinished, 'w', 0o600);
      await file.writev([seal(name, content), content]);
      await file.sync();
    } catch (error) {
      await rm(unfinished, { force: true });
      throw error;
    }
    await rename(unfinished, path);
    await using folder = await open(this.#folder);
    await folder.sync();
  }

  async #read(name: string): Promise<Buffer | undefined> {
    try {
      if ((this.#sizes.get(name) ?? 0) > this.#maxBytes) throw new Error('it is larger than the outbox');
      const bytes = await readFile(join(this.#folder, name));
      const content = bytes.subarray(DIGEST_BYTES);
      if (bytes.subarray(0, DIGEST_BYTES).equals(seal(name, content))) return content;
      throw new Error('it does not have the digest that it begins with');
    } catch (err) {
      this.#log.warn({ err, file: name }, 'a fragment that waited was thrown away; its layer is read again');
      await this.#remove(name);
      return undefined;
    }
  }

  async #remove(name: string): Promise<void> {
    const size = this.#sizes.get(name);
    if (size === undefined) return;
    this.#sizes.delete(name);
    this.#bytes -= size;
    await rm(join(this.#folder, name), { force: true }).catch((err: unknown) => {
      this.#log.error({ err, file: name }, 'the outbox cannot be written to');
    });
  }
}

/** The names that a layer's file may have: of what holds above any layers, and above its own. */
function namesOf({ diffId, chainId }: PlacedLayer): readonly string[] {
  const [layer, chain] = [hexOf(diffId), hexOf(chainId)];
  if (layer === undefined || chain === undefined) return [];
  return [`${layer}-any`, `${layer}-${chain}`];
}

/** What a file begins with: it stands for the name too, so that one does not pass for another. */
function seal(name: string, content: Buffer): Buffer {
  return createHash('sha256').update(name).update(content).digest();
}

/** No core wants what other versions of the catalogers said. Nothing else that may be in the folder is touched. */
async function dropOldVersions(folder: string): Promise<void> {
  for (const name of await readdir(folder)) {
    if (!CATALOGER_VERSION_FORM.test(name) || name === CATALOGER_VERSION) continue;
    await rm(join(folder, name), { recursive: true });
  }
}
