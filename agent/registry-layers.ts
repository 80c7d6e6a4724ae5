import { readFile } from 'node:fs/promises';
import { explain } from '@gatehouse/lib/errors.ts';
import type { ApiAccess } from '@gatehouse/lib/own-cluster.ts';
import { type Backoff, backoffDelay } from '@gatehouse/lib/retry.ts';
import {
  type Credentials,
  credentialsIn,
  openRegistryImage,
  parseDockerConfig,
  parseReference,
  type Reference,
  RegistryClient,
  RegistryError,
  type RegistrySettings,
} from '@gatehouse/registry';
import { type Fragment, type Platform, readPlatform, SbomError, type SourceImage } from '@gatehouse/sbom';
import type { LayerCataloger } from './cataloger/cataloger.ts';
import { AgentError } from './errors.ts';
import { type Pod, pullSecretsOf } from './pull-secrets.ts';
import type { ImageLayers, Inventory, RuntimeImage } from './runtimes/runtime.ts';

/** From where, and as whom, layers are read that the node has not kept. */
export interface RegistryAccess {
  readonly settings: RegistrySettings;
  /** A config.json of Docker's form; empty for none. It is read anew each time, for some are renewed every few hours. */
  readonly credentials: string;
  /** Where pods and their pull secrets are asked for; undefined if they are not. */
  readonly pullSecrets: ApiAccess | undefined;
  /** How soon a registry that is away is asked again. */
  readonly retry?: Backoff;
}

/** A node knows an image by one name or two. */
const MAX_NAMES = 4;
/** A registry that is away is tried so often for an image; what it lacks, or refuses, is final. */
const MAX_ATTEMPTS = 5;
/** In the order of the minutes that registries are away for. */
const RETRY_BACKOFF = { first: 60_000, most: 900_000 };
/** More images than a node may report. */
const MAX_IMAGES = 5000;

/** The registries that the images of a node came from. */
export class Registries {
  readonly #access: RegistryAccess;
  /** How often images failed for want of a registry that answers. */
  readonly #attempts = new Map<string, number>();

  constructor(access: RegistryAccess) {
    this.#access = access;
  }

  /** The way to the layers of an image; nothing is asked for before the first of them is. */
  layersOf(image: RuntimeImage, layers: ImageLayers, { containers }: Inventory): RegistryLayers {
    const pods = containers.filter((each) => each.image === image.digest);
    return new RegistryLayers(this.#access, { image, layers, pods }, this.#attempts);
  }
}

/** The layers of one image at its registry. */
export class RegistryLayers implements Disposable {
  readonly #access: RegistryAccess;
  readonly #of: { readonly image: RuntimeImage; readonly layers: ImageLayers; readonly pods: readonly Pod[] };
  #client: RegistryClient | undefined;
  /** Why credentials could not be had. */
  readonly #problems: string[] = [];
  #opened: Promise<SourceImage> | undefined;
  readonly #attempts: Map<string, number>;
  /** Something failed that may succeed later. */
  #wasAway = false;

  constructor(
    access: RegistryAccess,
    of: { readonly image: RuntimeImage; readonly layers: ImageLayers; readonly pods: readonly Pod[] },
    attempts: Map<string, number>,
  ) {
    this.#attempts = attempts;
    this.#access = access;
    this.#of = of;
  }

  /** To be asked once, at the end: the milliseconds until the image is worth another try, if it is. */
  retryInMs(): number | undefined {
    const { digest } = this.#of.image;
    const attempts = (this.#attempts.get(digest) ?? 0) + 1;
    this.#attempts.delete(digest);
    if (!this.#wasAway || attempts >= MAX_ATTEMPTS || this.#attempts.size >= MAX_IMAGES) return undefined;
    this.#attempts.set(digest, attempts);
    return backoffDelay(this.#access.retry ?? RETRY_BACKOFF, attempts - 1);
  }

  /** Throws AgentError `layer_unreadable`, or SbomError. */
  async catalog(
    cataloger: LayerCataloger,
    {
      index,
      diffId,
      signal,
    }: { readonly index: number; readonly diffId: string; readonly signal: AbortSignal },
  ): Promise<Fragment> {
    this.#opened ??= this.#open(signal);
    const layer = (await this.#opened).layers[index];
    if (!layer) throw new AgentError('layer_unreadable', 'the registry has no such layer of the image');
    try {
      return (await cataloger.catalogBlob(layer, { diffId, signal })).fragment;
    } catch (error) {
      this.#note(error instanceof Error ? error.cause : undefined);
      throw error;
    }
  }

  [Symbol.dispose](): void {
    this.#client?.[Symbol.dispose]();
  }

  /** By the names that say for good what they name; what they name has to be made of the same layers all the same. */
  async #open(signal: AbortSignal): Promise<SourceImage> {
    const { image, layers } = this.#of;
    const references = referencesOf(image);
    this.#client = new RegistryClient(this.#access.settings, (host, name) => this.#credentials(host, name));
    const reasons = references.length === 0 ? ['no registry is known to have the image'] : [];
    for (const reference of references) {
      try {
        const platform = platformOf(layers);
        const opened = await openRegistryImage(this.#client, reference, { platform, signal });
        if (isSame(opened, image, layers)) return opened;
        reasons.push(`${reference.host}/${reference.repository} has other layers by that name`);
      } catch (error) {
        signal.throwIfAborted();
        if (!(error instanceof RegistryError || error instanceof SbomError)) throw error;
        this.#note(error);
        reasons.push(explain(error));
      }
    }
    throw new AgentError('layer_unreadable', [...reasons, ...this.#problems].join('; '));
  }

  async #credentials(host: string, repository: string): Promise<readonly Credentials[]> {
    const { credentials: file, pullSecrets } = this.#access;
    const secrets = pullSecrets && (await pullSecretsOf(this.#of.pods, pullSecrets));
    this.#problems.push(...(secrets?.problems ?? []));
    const configs = [...(secrets?.configs ?? []), ...(file === '' ? [] : [await readConfig(file)])];
    return configs.flatMap((config) => credentialsIn(config, host, repository));
  }

  #note(error: unknown): void {
    if (error instanceof RegistryError && error.isTransient) this.#wasAway = true;
  }
}

function referencesOf({ aliases }: RuntimeImage): readonly Reference[] {
  const fixed = aliases.filter((alias) => alias.includes('@'));
  return fixed.slice(0, MAX_NAMES).flatMap((alias) => {
    try {
      return [parseReference(alias)];
    } catch {
      // Runtimes have names of their own making, too.
      return [];
    }
  });
}

function platformOf({ platform }: ImageLayers): Platform | undefined {
  try {
    return readPlatform(platform);
  } catch {
    return undefined;
  }
}

function isSame({ digest, diffIds }: SourceImage, image: RuntimeImage, layers: ImageLayers): boolean {
  return digest === image.digest || diffIds.join() === layers.diffIds.join();
}

async function readConfig(file: string): Promise<ReturnType<typeof parseDockerConfig>> {
  let content: string;
  try {
    content = await readFile(file, 'utf8');
  } catch (cause) {
    throw new RegistryError('credentials_unreadable', `cannot read ${file}`, { cause });
  }
  return parseDockerConfig(content, file);
}
