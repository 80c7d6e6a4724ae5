import { readFile, stat } from 'node:fs/promises';
import {
  ContainersStorage,
  connectRuntimes,
  type ImageLayers,
  inThisProcess,
  type LayerPlaces,
  type Runtime,
  type RuntimeImage,
  readLayer,
  storageDrivers,
} from '@gatehouse/agent/main.ts';
import { CodedError } from '@gatehouse/lib/errors.ts';
import { noLog } from '@gatehouse/lib/log.ts';
import { OptionError } from '@gatehouse/lib/options.ts';
import {
  catalogFolder,
  type DescribedImage,
  type Fragment,
  fold,
  readSbomDocument,
  type SbomDocument,
  type SourceImage,
} from '@gatehouse/sbom';
import { catalogLayers, type Progress } from './catalog-layers.ts';
import { CliError } from './errors.ts';
import { type ImageOptions, imageForms, isImageScheme, openImage } from './open-image.ts';

/** All forms of a source that commands take. */
export const sourceForms: readonly string[] = [
  'dir:PATH',
  ...imageForms,
  'containerd:REF',
  'docker:REF',
  'containers-storage:REF',
  'sbom:FILE',
];

const FORMS = `A source is one of ${sourceForms.join(', ')}.`;

/** What an image, or a folder, holds. Throws CliError `source_unknown`, SbomError, AgentError or RegistryError. */
export async function catalogSource(
  source: string,
  options: ImageOptions,
  progress: Progress,
  signal: AbortSignal,
): Promise<DescribedImage> {
  const [, scheme = '', rest = ''] = /^([a-z-]+):(.+)$/s.exec(source) ?? [];
  if (options.platform && !isImageScheme(scheme)) {
    throw new OptionError('option_invalid', `--platform chooses nothing of ${scheme}:`, {
      hint: `It is for ${imageForms.join(', ')}.`,
    });
  }
  if (scheme === 'sbom') return describedBy(rest, readSbomDocument(await readDocument(rest)));
  if (scheme === 'dir') return catalogDirectory(rest, signal);
  if (scheme === 'containers-storage') return catalogFromStorage(rest, progress, signal);
  const socket = sockets[scheme];
  if (socket !== undefined) return catalogFromRuntime({ scheme, socket, name: rest }, progress, signal);
  if (isImageScheme(scheme)) {
    await using image = await openImage(source, options, signal);
    return catalogImage(image, progress, signal);
  }
  throw new CliError('source_unknown', `'${source}' is no image that could be read`, { hint: FORMS });
}

async function catalogDirectory(folder: string, signal: AbortSignal): Promise<DescribedImage> {
  const found = await stat(folder).catch(() => undefined);
  if (!found?.isDirectory()) {
    throw new CliError('source_unknown', `there is no folder ${folder}`, {
      hint: FORMS,
    });
  }
  const fragment = await catalogFolder({ layers: [folder], index: 0, signal });
  return { name: folder, digest: undefined, diffIds: [], contents: fold([fragment]) };
}

/** The bytes of an SBOM. Throws CliError `source_unknown`. */
export async function readDocument(file: string): Promise<Buffer> {
  try {
    return await readFile(file);
  } catch (cause) {
    throw new CliError('source_unknown', `the SBOM ${file} cannot be read`, { cause });
  }
}

function describedBy(file: string, { name, imageId, diffIds, contents }: SbomDocument): DescribedImage {
  return { name: name ?? file, digest: imageId, diffIds, contents };
}

async function catalogImage(
  image: SourceImage,
  progress: Progress,
  signal: AbortSignal,
): Promise<DescribedImage> {
  const fragments = await catalogLayers(image.layers, progress, signal);
  return {
    name: image.aliases.find((alias) => !alias.includes('@')) ?? image.digest,
    digest: image.digest,
    diffIds: image.diffIds,
    contents: fold(fragments),
  };
}

/** Where runtimes listen, and keep what they have, on a machine of one's own. */
const sockets: Readonly<Record<string, { containerdSocket: string; dockerSocket: string }>> = {
  containerd: { containerdSocket: '/run/containerd/containerd.sock', dockerSocket: '' },
  docker: { containerdSocket: '', dockerSocket: '/var/run/docker.sock' },
};
const FOLDERS = {
  containerdRoot: '/var/lib/containerd',
  containerdState: '/run/containerd',
  crioSocket: '',
  crioStorage: [],
  hostRoot: '/',
  podUid: '',
};

async function catalogFromRuntime(
  from: { scheme: string; socket: { containerdSocket: string; dockerSocket: string }; name: string },
  progress: Progress,
  signal: AbortSignal,
): Promise<DescribedImage> {
  const runtime = await connect(from.scheme, from.socket);
  await using _closing = runtime;
  const inventory = await runtime.inventory(signal);
  const listing = {
    title: runtime.title,
    images: inventory.images,
    layersOf: (image: RuntimeImage) => runtime.layersOf(image.digest, signal),
    placesOf: (image: RuntimeImage, layers: ImageLayers) =>
      runtime.placesOf(image, layers, inventory, signal),
  };
  return catalogListed(listing, from.name, progress, signal);
}

/** Where CRI-O, Podman and Buildah keep images if root does not tell them otherwise. */
const STORAGE = '/var/lib/containers/storage';
/** As skopeo(1) and the others write it: [driver@root+run:options] before the name, all but the root optional. */
const STORAGE_FORM = /^(?:\[(?:(?<driver>[^@\]]*)@)?(?<root>\/[^+:\]]*)[^\]]*\])?@?(?<name>[^[\]]+)$/;

async function catalogFromStorage(
  rest: string,
  progress: Progress,
  signal: AbortSignal,
): Promise<DescribedImage> {
  const { driver, root = STORAGE, name } = STORAGE_FORM.exec(rest)?.groups ?? {};
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
  // Podman shows ids without the algorithm.
  const id = /^[0-9a-f]{64}$/.test(name) ? `sha256:${name}` : name;
  return catalogListed(listing, id, progress, signal);
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
  const image = listing.images.find(
    ({ digest, aliases }) => digest === name || aliases.some((alias) => isNamed(alias, name)),
  );
  if (!image) {
    const known = listing.images.flatMap(({ aliases }) => aliases.slice(0, 1)).slice(0, 10);
    throw new CliError('source_unknown', `${listing.title} has no image ${name}`, {
      hint: known.length > 0 ? `It has ${known.join(', ')}.` : 'It has none at all.',
    });
  }
  const layers = await listing.layersOf(image);
  await using places = await listing.placesOf(image, layers);
  const fragments: Fragment[] = [];
  for (const [index, diffId] of layers.diffIds.entries()) {
    fragments.push(await readLayer(inThisProcess, places, { index, diffId }, signal));
    progress(fragments.length, layers.diffIds.length);
  }
  return { name, digest: image.digest, diffIds: layers.diffIds, contents: fold(fragments) };
}

async function connect(
  scheme: string,
  socket: { containerdSocket: string; dockerSocket: string },
): Promise<Runtime> {
  try {
    const [runtime] = await connectRuntimes({ ...FOLDERS, ...socket }, noLog);
    if (runtime) return runtime;
  } catch (error) {
    if (!(error instanceof CodedError && error.code === 'no_runtime')) throw error;
  }
  const { containerdSocket, dockerSocket } = socket;
  throw new CliError('source_unknown', `no ${scheme} answers at ${containerdSocket || dockerSocket}`, {
    hint: "Its socket is root's; try sudo. Images in files need no runtime: docker-archive:FILE.",
  });
}

/** People leave out where an image comes from, Docker Hub or Podman itself, and the tag that everybody means. */
function isNamed(alias: string, name: string): boolean {
  const names = name.includes(':') ? [name] : [name, `${name}:latest`];
  return names.some((each) =>
    [each, `docker.io/${each}`, `docker.io/library/${each}`, `localhost/${each}`].includes(alias),
  );
}
