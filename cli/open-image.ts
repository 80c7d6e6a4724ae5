import { readFile } from 'node:fs/promises';
import { homedir } from 'node:os';
import { join } from 'node:path';
import { type Option, type OptionValues, text } from '@gatehouse/lib/options.ts';
import {
  type CredentialSource,
  credentialsIn,
  type DockerConfig,
  openRegistryImage,
  parseDockerConfig,
  parseReference,
  RegistryClient,
  RegistryError,
  readSettings,
  registryOptions,
} from '@gatehouse/registry';
import { fileSourceForms, openSource, type Platform, readPlatform, type SourceImage } from '@gatehouse/sbom';
import { askHelper } from './credential-helper.ts';

/** What `openImage` takes. */
export const imageForms: readonly string[] = [...fileSourceForms, 'registry:REF'];

const platform: Option<Platform | undefined> = {
  placeholder: 'OS/ARCHITECTURE',
  help: 'which one, where an image is made for several platforms; if not said, that of this machine',
  fallback: '',
  parse: (given) => (given === '' ? undefined : readPlatform(given)),
};

/** What commands let one say about images in files and registries. */
export const imageOptions = {
  platform,
  dockerConfig: {
    ...text('FOLDER', 'whose config.json has the credentials for registries', join(homedir(), '.docker')),
    variable: 'DOCKER_CONFIG',
  },
  ...registryOptions,
};
export type ImageOptions = OptionValues<typeof imageOptions>;

/** Whether `openImage` knows a scheme. */
export function isImageScheme(scheme: string): boolean {
  return imageForms.some((form) => form.startsWith(`${scheme}:`));
}

/** The image in a file, a folder or a registry. Throws SbomError or RegistryError. */
export async function openImage(
  source: string,
  options: ImageOptions,
  signal: AbortSignal,
): Promise<SourceImage> {
  const [, name] = /^registry:(.+)$/s.exec(source) ?? [];
  if (name === undefined) return openSource(source, options.platform);
  const reference = parseReference(name);
  using stack = new DisposableStack();
  const client = new RegistryClient(await readSettings(options), dockerCredentials(options.dockerConfig));
  stack.use(client);
  const image = await openRegistryImage(client, reference, { platform: options.platform, signal });
  const kept = stack.move();
  return { ...image, [Symbol.asyncDispose]: async () => kept.dispose() };
}

/** What `docker login` has left: in its file, or with the helpers that the file names. */
function dockerCredentials(folder: string): CredentialSource {
  let config: Promise<DockerConfig | undefined> | undefined;
  return async (host, repository, signal) => {
    config ??= readConfig(join(folder, 'config.json'));
    const found = await config;
    if (!found) return [];
    const helper = found.helpers.get(host) ?? found.helperOfAll;
    const told = helper === undefined ? undefined : await askHelper(helper, host, signal);
    return [...(told ? [told] : []), ...credentialsIn(found, host, repository)];
  };
}

async function readConfig(file: string): Promise<DockerConfig | undefined> {
  let content: string;
  try {
    content = await readFile(file, 'utf8');
  } catch (cause) {
    if ((cause as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
    throw new RegistryError('credentials_unreadable', `cannot read ${file}`, { cause });
  }
  return parseDockerConfig(content, file);
}
