import { readFile } from 'node:fs/promises';
import { explain } from '@gatehouse/lib/errors.ts';
import type { ApiAccess } from '@gatehouse/lib/own-cluster.ts';
import type { Backoff } from '@gatehouse/lib/retry.ts';
import {
  type CredentialSource,
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
import { paced } from './registry-pace.ts';
import { RegistryPast } from './registry-past.ts';
import type { ImageLayers, Inventory, LayerSource, RuntimeImage } from './runtimes/runtime.ts';

/** From where, and as whom, layers are read that the node has not kept. */
export interface RegistryAccess {
  readonly settings: RegistrySettings;
  /** A config.json of Docker's form; empty for none. It is read anew each time, for some are renewed every few hours. */
  readonly credentials: string;
  /** Where pods and their pull secrets are asked for; undefined if they are not. */
  readonly pullSecrets: ApiAccess | undefined;
  /** The milliseconds that it may take to say what an image is made of. */
  readonly openMs?: number;
  /** How soon a registry that is away is asked again. */
  readonly retry?: Backoff;
}

/** A node knows an image by one name or two. */
const MAX_NAMES = 4;
/**
 * All images wait while one is read. Four names, two tries and 10 s are a minute and a half at worst; after that the
 * registry counts as away, and the next image that comes from there does not wait for it.
 */
const PATIENCE = { tries: 2, firstByte: 10_000 };
/** A registry that lets its words drip could keep the agent for days: for one name this is enough. */
const MAX_OPEN_MS = 60_000;
/** And this for the layers of one image: 20 GB at 11 MB/s. The cataloger gives each of them 15 minutes. */
const MAX_READ_MS = 30 * 60_000;

/** The registries that the images of a node came from. */
export class Registries {
  readonly #access: RegistryAccess;
  readonly #past: RegistryPast;

  constructor(access: RegistryAccess) {
    this.#access = access;
    this.#past = new RegistryPast(access.retry);
  }

  /** The way to the layers of an image; nothing is asked for before the first of them is. */
  layersOf(image: RuntimeImage, layers: ImageLayers, { containers }: Inventory): RegistryLayers {
    const pods = containers.filter((each) => each.image === image.digest);
    return new RegistryLayers(this.#access, { image, layers, pods }, this.#past);
  }
}

/** The layers of one image at its registry. */
export class RegistryLayers implements LayerSource, Disposable {
  readonly #access: RegistryAccess;
  readonly #of: { readonly image: RuntimeImage; readonly layers: ImageLayers; readonly pods: readonly Pod[] };
  #client: RegistryClient | undefined;
  /** Why credentials could not be had. */
  readonly #problems = new Set<string>();
  #opened: Promise<SourceImage> | undefined;
  /** Where it was found. */
  #host = '';
  readonly #past: RegistryPast;
  /** Something failed that may succeed later. */
  #wasAway = false;
  #spentMs = 0;

  constructor(
    access: RegistryAccess,
    of: { readonly image: RuntimeImage; readonly layers: ImageLayers; readonly pods: readonly Pod[] },
    past: RegistryPast,
  ) {
    this.#past = past;
    this.#access = access;
    this.#of = of;
  }

  /** To be asked once, at the end: the milliseconds until the image is worth another try, if it is. */
  retryInMs(): number | undefined {
    return this.#past.retryInMs(this.#of.image.digest, this.#wasAway);
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
    if (this.#spentMs > MAX_READ_MS) {
      throw new AgentError(
        'layer_unreadable',
        `the registry took more than ${MAX_READ_MS} ms for other layers`,
      );
    }
    const began = performance.now();
    try {
      const open = () => paced(layer.open(), this.#host);
      return (await cataloger.catalogBlob({ ...layer, open }, { diffId, signal })).fragment;
    } catch (error) {
      this.#note(error instanceof Error ? error.cause : undefined, this.#host);
      throw error;
    } finally {
      this.#spentMs += performance.now() - began;
    }
  }

  [Symbol.dispose](): void {
    this.#client?.[Symbol.dispose]();
  }

  /** By the names that say for good what they name; what they name has to be made of the same layers all the same. */
  async #open(signal: AbortSignal): Promise<SourceImage> {
    const { image, layers } = this.#of;
    const references = referencesOf(image);
    const credentials: CredentialSource = (host, name) => this.#credentials(host, name);
    this.#client = new RegistryClient(this.#access.settings, credentials, PATIENCE);
    const reasons = references.length === 0 ? ['no registry is known to have the image'] : [];
    for (const reference of references) {
      const opened = await this.#openOne(this.#client, reference, signal).catch((error: unknown) => {
        signal.throwIfAborted();
        if (!(error instanceof RegistryError || error instanceof SbomError)) throw error;
        this.#note(error, reference.host);
        reasons.push(explain(error));
      });
      if (!opened) continue;
      this.#host = reference.host;
      if (isSame(opened, image, layers)) return opened;
      reasons.push(`${reference.host}/${reference.repository} has other layers by that name`);
    }
    // What one can mend comes first: the core cuts long reasons.
    throw new AgentError('layer_unreadable', [...this.#problems, ...reasons].map(withoutStop).join('; '));
  }

  async #openOne(client: RegistryClient, reference: Reference, signal: AbortSignal): Promise<SourceImage> {
    const { host } = reference;
    const why = this.#past.whyAway(host);
    if (why !== undefined) throw new RegistryError('registry_unreachable', `a moment ago: ${why}`);
    const over = AbortSignal.timeout(this.#access.openMs ?? MAX_OPEN_MS);
    const options = { platform: platformOf(this.#of.layers), signal: AbortSignal.any([signal, over]) };
    try {
      return await openRegistryImage(client, reference, options);
    } catch (cause) {
      if (!over.aborted) throw cause;
      throw new RegistryError(
        'registry_unreachable',
        `${host} takes too long to say what an image is made of`,
      );
    }
  }

  async #credentials(host: string, repository: string): Promise<readonly Credentials[]> {
    const { credentials: file, pullSecrets } = this.#access;
    const secrets = pullSecrets && (await pullSecretsOf(this.#of.pods, pullSecrets));
    for (const problem of secrets?.problems ?? []) this.#problems.add(problem);
    const configs = [...(secrets?.configs ?? []), ...(file === '' ? [] : [await readConfig(file)])];
    return configs.flatMap((config) => credentialsIn(config, host, repository));
  }

  #note(error: unknown, host?: string): void {
    if (!(error instanceof RegistryError && error.isTransient)) return;
    this.#wasAway = true;
    if (host !== undefined) this.#past.noteAway(host, withoutStop(explain(error)));
  }
}

/** What goes on with a semicolon, or with the full stop of whoever shows it. */
function withoutStop(text: string): string {
  return text.replace(/\.$/, '');
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
