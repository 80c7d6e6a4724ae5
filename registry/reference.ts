import { RegistryError } from './errors.ts';

/** The name of an image, or of anything else that a registry has. */
export interface Reference {
  /** HOST or HOST:PORT; `docker.io` for Docker Hub. */
  readonly host: string;
  readonly repository: string;
  /** What is asked for: where there is a digest, it alone counts, as for Docker. */
  readonly tag: string | undefined;
  readonly digest: string | undefined;
}

export const DOCKER_HUB = 'docker.io';

/** The whole of what github.com/distribution/reference takes; no longer name can be written into a pod. */
const MAX_NAME_LENGTH = 255;
const MAX_REFERENCE_LENGTH = 512;
const LABEL = '[a-zA-Z0-9](?:[a-zA-Z0-9-]*[a-zA-Z0-9])?';
const HOST = new RegExp(`^(?:${LABEL}(?:\\.${LABEL})*|\\[[0-9a-fA-F:]+\\])(?::\\d{1,5})?$`);
const REPOSITORY = /^[a-z0-9]+(?:(?:\.|__?|-+)[a-z0-9]+)*(?:\/[a-z0-9]+(?:(?:\.|__?|-+)[a-z0-9]+)*)*$/;
const TAG = /^\w[\w.-]{0,127}$/;
const DIGEST = /^sha256:[0-9a-f]{64}$/;

/**
 * Reads a name as Docker does: `app`, `team/app:1`, `host:5000/app@sha256:…`. Throws RegistryError `reference_invalid`.
 */
export function parseReference(text: string): Reference {
  if (text.length > MAX_REFERENCE_LENGTH) throw invalid(text, 'it is too long');
  const at = text.indexOf('@');
  const digest = at === -1 ? undefined : text.slice(at + 1);
  if (digest !== undefined && !DIGEST.test(digest))
    throw invalid(text, 'what follows @ is no SHA-256 digest');
  const named = at === -1 ? text : text.slice(0, at);
  // A colon before a slash is a port's.
  const colon = named.lastIndexOf(':');
  const isTagged = colon > named.lastIndexOf('/');
  const tag = isTagged ? named.slice(colon + 1) : undefined;
  if (tag !== undefined && !TAG.test(tag)) throw invalid(text, `'${tag}' is no tag`);
  const { host, repository } = splitName(isTagged ? named.slice(0, colon) : named);
  if (!isHost(host)) throw invalid(text, `'${host}' is no host`);
  if (!REPOSITORY.test(repository)) throw invalid(text, `'${repository}' is no repository`);
  // Docker takes such a name for the id of an image.
  if (/^(?:library\/)?[0-9a-f]{64}$/.test(repository)) throw invalid(text, 'it is an id, not a name');
  if (host.length + 1 + repository.length > MAX_NAME_LENGTH) throw invalid(text, 'it is too long');
  return { host, repository, tag: tag ?? (digest === undefined ? 'latest' : undefined), digest };
}

/** The whole name, with nothing left out. */
export function formatReference({ host, repository, tag, digest }: Reference): string {
  const behind = [tag === undefined ? '' : `:${tag}`, digest === undefined ? '' : `@${digest}`];
  return `${host}/${repository}${behind.join('')}`;
}

/** Whether a text is HOST or HOST:PORT. */
export function isHost(text: string): boolean {
  return HOST.test(text) && Number(/:(\d+)$/.exec(text)?.[1] ?? 0) <= 65_535;
}

/** What stands before the first slash is a host only if it could not be the first part of a repository at Docker Hub. */
function splitName(name: string): { host: string; repository: string } {
  const slash = name.indexOf('/');
  const first = slash === -1 ? '' : name.slice(0, slash);
  if (/[.:A-Z]/.test(first) || first === 'localhost') {
    const repository = name.slice(slash + 1);
    const host = first === 'index.docker.io' ? DOCKER_HUB : first;
    return { host, repository: host === DOCKER_HUB ? officialName(repository) : repository };
  }
  return { host: DOCKER_HUB, repository: officialName(name) };
}

function officialName(repository: string): string {
  return repository.includes('/') ? repository : `library/${repository}`;
}

function invalid(text: string, why: string): RegistryError {
  const shown = text.length > 100 ? `${text.slice(0, 100)}…` : text;
  return new RegistryError('reference_invalid', `'${shown}' is no name of an image: ${why}`, {
    hint: 'A name is such as app:1, team/app, or registry.example:5000/team/app@sha256:….',
  });
}
