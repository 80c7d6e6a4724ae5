import { existsSync } from 'node:fs';
import { homedir } from 'node:os';
import { join } from 'node:path';
import {
  ContainersStorage,
  connectRuntimes,
  type ImageLayers,
  inThisProcess,
  type LayerPlaces,
  type Runtime,
  type RuntimeImage,
  readLayer,
  runtimeOptions,
  storageDrivers,
} from '@gatehouse/agent/main.ts';
import { CodedError } from '@gatehouse/lib/errors.ts';
import { noLog } from '@gatehouse/lib/log.ts';
import type { OptionValues } from '@gatehouse/lib/options.ts';
import { type DescribedImage, type Fragment, fold } from '@gatehouse/sbom';
import type { Progress } from './catalog-layers.ts';
import { CliError } from './errors.ts';
import { findNamed } from './image-names.ts';

const { containerdSocket, containerdRoot, containerdState, hostRoot, dockerSocket } = runtimeOptions;
/** Where a runtime that a source names is. */
export const sourceRuntimeOptions = {
  containerdSocket,
  containerdRoot,
  containerdState,
  hostRoot,
  dockerSocket,
};
export type RuntimeOptions = OptionValues<typeof sourceRuntimeOptions>;

/** The option that says where a runtime listens; the flag has its name. */
const sockets = { containerd: 'containerdSocket', docker: 'dockerSocket' } as const;
type RuntimeScheme = keyof typeof sockets;

export function isRuntimeScheme(scheme: string): scheme is RuntimeScheme {
  return Object.hasOwn(sockets, scheme);
}

/** An image that a runtime has. Throws CliError `source_unknown` or AgentError. */
export async function catalogFromRuntime(
  from: { readonly scheme: RuntimeScheme; readonly name: string; readonly options: RuntimeOptions },
  progress: Progress,
  signal: AbortSignal,
): Promise<DescribedImage> {
  await using runtime = await connect(from.scheme, from.options);
  const inventory = await runtime.inventory(signal);
  const listing = {
    title: runtime.title,
    images: inventory.images,
    layersOf: (image: RuntimeImage) => runtime.layersOf(image.digest, signal),
    placesOf: (image: RuntimeImage, layers: ImageLayers) =>
      runtime.placesOf(image, layers, inventory, signal),
  };
  return await catalogListed(listing, from.name, progress, signal);
}

async function connect(scheme: RuntimeScheme, options: RuntimeOptions): Promise<Runtime> {
  const socket = options[sockets[scheme]];
  try {
    const only = { containerdSocket: '', dockerSocket: '', crioSocket: '', [sockets[scheme]]: socket };
    const [runtime] = await connectRuntimes({ ...options, ...only, crioStorage: [], podUid: '' }, noLog);
    if (runtime) return runtime;
  } catch (error) {
    if (!(error instanceof CodedError && error.code === 'no_runtime')) throw error;
  }
  // Root has no higher right to try.
  const sudo = process.getuid?.() === 0 ? '' : "Its socket is root's; try sudo. ";
  throw new CliError('source_unknown', `no ${scheme} answers at ${socket || 'any socket, for none is set'}`, {
    hint: `${sudo}If it listens elsewhere, give --${scheme}-socket. Images in files need no runtime: docker-archive:FILE.`,
  });
}

/** As skopeo(1) and the others write it: [driver@root+run:options] before the name, all but the root optional. */
const STORAGE_FORM = /^(?:\[(?:(?<driver>[^@\]]*)@)?(?<root>\/[^+:\]]*)[^\]]*\])?@?(?<name>[^[\]]+)$/;

/** An image that CRI-O, Podman or Buildah keep. Throws CliError `source_unknown` or AgentError. */
export async function catalogFromStorage(
  rest: string,
  progress: Progress,
  signal: AbortSignal,
): Promise<DescribedImage> {
  const { driver, root = ownStorage(), name } = STORAGE_FORM.exec(rest)?.groups ?? {};
  const known = storageDrivers.find((each) => each === driver);
  if (name === undefined || (driver && !known)) {
    throw new CliError('source_unknown', `'containers-storage:${rest}' is of no form that could be read`, {
      hint: `Write containers-storage:NAME or containers-storage:[DRIVER@/FOLDER]NAME; drivers are ${storageDrivers.join(' and ')}.`,
    });
  }
  const storage = await ContainersStorage.open([root], known);
  const listing = {
    title: root,
    images: await storage.images(),
    layersOf: (image: RuntimeImage) => storage.layersOf(image.digest),
    placesOf: (image: RuntimeImage, layers: ImageLayers) => storage.placesOf(image.digest, layers, []),
  };
  return catalogListed(listing, name, progress, signal);
}

/** Where they keep images if nothing else tells them otherwise: in the home of a user who has such a folder. */
function ownStorage(): string {
  const own = join(homedir(), '.local/share/containers/storage');
  return process.getuid?.() !== 0 && existsSync(own) ? own : '/var/lib/containers/storage';
}

/** What has images by name. */
interface Listing {
  readonly title: string;
  readonly images: readonly RuntimeImage[];
  layersOf(image: RuntimeImage): Promise<ImageLayers>;
  placesOf(image: RuntimeImage, layers: ImageLayers): Promise<LayerPlaces>;
}

async function catalogListed(
  listing: Listing,
  name: string,
  progress: Progress,
  signal: AbortSignal,
): Promise<DescribedImage> {
  const image = findNamed(listing.title, listing.images, name);
  const layers = await listing.layersOf(image);
  await using places = await listing.placesOf(image, layers);
  const fragments: Fragment[] = [];
  for (const [index, diffId] of layers.diffIds.entries()) {
    fragments.push(await readLayer(inThisProcess, places, { index, diffId }, signal));
    progress(fragments.length, layers.diffIds.length);
  }
  return { name, digest: image.digest, diffIds: layers.diffIds, contents: fold(fragments) };
}
