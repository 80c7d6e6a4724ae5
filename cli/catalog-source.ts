import { stat } from 'node:fs/promises';
import { connectRuntimes, inThisProcess, type Runtime, readLayer } from '@gatehouse/agent/main.ts';
import { CodedError } from '@gatehouse/lib/errors.ts';
import { noLog } from '@gatehouse/lib/log.ts';
import {
  catalogBlob,
  catalogFolder,
  type DescribedImage,
  type Fragment,
  fileSourceForms,
  fold,
  openSource,
} from '@gatehouse/sbom';
import { CliError } from './errors.ts';

/** Told of each layer that was read, for people who wait. */
export type Progress = (done: number, all: number) => void;

/** All forms of a source that commands take. */
export const sourceForms: readonly string[] = [
  'dir:PATH',
  ...fileSourceForms,
  'containerd:REF',
  'docker:REF',
];

const FORMS = `A source is one of ${sourceForms.join(', ')}.`;

/** What an image, or a folder, holds. Throws CliError `source_unknown`, SbomError or AgentError. */
export async function catalogSource(
  source: string,
  progress: Progress,
  signal: AbortSignal,
): Promise<DescribedImage> {
  const [, scheme = '', rest = ''] = /^([a-z-]+):(.+)$/s.exec(source) ?? [];
  if (scheme === 'dir') return catalogDirectory(rest, signal);
  const socket = sockets[scheme];
  if (socket !== undefined) return catalogFromRuntime({ scheme, socket, name: rest }, progress, signal);
  if (fileSourceForms.some((form) => form.startsWith(`${scheme}:`))) {
    return catalogFile(source, progress, signal);
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

async function catalogFile(source: string, progress: Progress, signal: AbortSignal): Promise<DescribedImage> {
  await using image = await openSource(source);
  const fragments: Fragment[] = [];
  for (const layer of image.layers) {
    fragments.push((await catalogBlob(layer, { diffId: layer.diffId, signal })).fragment);
    progress(fragments.length, image.layers.length);
  }
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
const FOLDERS = { containerdRoot: '/var/lib/containerd', containerdState: '/run/containerd', hostRoot: '/' };

async function catalogFromRuntime(
  from: { scheme: string; socket: { containerdSocket: string; dockerSocket: string }; name: string },
  progress: Progress,
  signal: AbortSignal,
): Promise<DescribedImage> {
  const runtime = await connect(from.scheme, from.socket);
  await using _closing = runtime;
  const inventory = await runtime.inventory(signal);
  const image = inventory.images.find(
    ({ digest, aliases }) => digest === from.name || aliases.some((alias) => isNamed(alias, from.name)),
  );
  if (!image) {
    const known = inventory.images.flatMap(({ aliases }) => aliases.slice(0, 1)).slice(0, 10);
    throw new CliError('source_unknown', `${runtime.title} has no image ${from.name}`, {
      hint: known.length > 0 ? `It has ${known.join(', ')}.` : 'It has none at all.',
    });
  }
  const layers = await runtime.layersOf(image.digest, signal);
  await using places = await runtime.placesOf(image, layers, inventory, signal);
  const fragments: Fragment[] = [];
  for (const [index, diffId] of layers.diffIds.entries()) {
    fragments.push(await readLayer(inThisProcess, places, { index, diffId }, signal));
    progress(fragments.length, layers.diffIds.length);
  }
  return { name: from.name, digest: image.digest, diffIds: layers.diffIds, contents: fold(fragments) };
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

/** People leave out where Docker Hub's images come from, and the tag that everybody means. */
function isNamed(alias: string, name: string): boolean {
  const names = name.includes(':') ? [name] : [name, `${name}:latest`];
  return names.some((each) => [each, `docker.io/${each}`, `docker.io/library/${each}`].includes(alias));
}
