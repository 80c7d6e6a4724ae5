import { readFile, stat } from 'node:fs/promises';
import { OptionError } from '@gatehouse/lib/options.ts';
import {
  catalogOwnFolder,
  type DescribedImage,
  fold,
  readSbomDocument,
  type SbomDocument,
  SbomError,
  type SourceImage,
} from '@gatehouse/sbom';
import { catalogLayers, type Progress } from './catalog-layers.ts';
import { CliError } from './errors.ts';
import { type ImageOptions, imageForms, isImageScheme, openImage } from './open-image.ts';
import {
  catalogFromRuntime,
  catalogFromStorage,
  isRuntimeScheme,
  type RuntimeOptions,
} from './stored-image.ts';

/** All forms of a source that commands take. */
export const sourceForms: readonly string[] = [
  'dir:PATH',
  ...imageForms,
  'containerd:REF',
  'docker:REF',
  'containers-storage:[[DRIVER@]FOLDER]REF',
  'sbom:FILE',
];

const FORMS = `A source is one of ${sourceForms.join(', ')}.`;

/** What an image, or a folder, holds. Throws CliError `source_unknown`, SbomError, AgentError or RegistryError. */
export async function catalogSource(
  source: string,
  options: ImageOptions & RuntimeOptions,
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
  if (isRuntimeScheme(scheme)) return catalogFromRuntime({ scheme, name: rest, options }, progress, signal);
  if (isImageScheme(scheme)) {
    await using image = await openImage(source, options, signal);
    return await catalogImage(image, progress, signal);
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
  const fragment = await catalogOwnFolder(folder, signal).catch((cause: unknown) => {
    if (!(cause instanceof SbomError && cause.code === 'layer_too_large')) throw cause;
    throw new SbomError(cause.code, cause.message, {
      cause,
      hint: 'Name a smaller folder, such as dir:/usr.',
    });
  });
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
