/** How a pod names an image, with what is implied made explicit: docker.io, library/ and :latest. */
export interface ImageReference {
  /** Registry and path, such as docker.io/library/nginx; empty if the image is named by its digest alone. */
  readonly repository: string;
  readonly tag: string | undefined;
  readonly digest: string | undefined;
}

const digestPattern = /^sha256:[0-9a-f]{64}$/;
/** Path components as the OCI distribution specification has them, and a registry host with an optional port. */
const pathPattern = /^[a-z0-9]+(?:(?:\.|_|__|-+)[a-z0-9]+)*(?:\/[a-z0-9]+(?:(?:\.|_|__|-+)[a-z0-9]+)*)*$/;
const hostPattern =
  /^(?:[a-zA-Z0-9](?:[a-zA-Z0-9-]*[a-zA-Z0-9])?(?:\.[a-zA-Z0-9](?:[a-zA-Z0-9-]*[a-zA-Z0-9])?)*|\[[0-9a-fA-F:]+\])(?::[0-9]+)?$/;
const tagPattern = /^[a-zA-Z0-9_][a-zA-Z0-9._-]{0,127}$/;
/** The OCI distribution specification bounds names at 255; a tag and a digest come on top. */
const MAX_REFERENCE_LENGTH = 512;

/** Parses what stands in `image:` of a container; undefined if no runtime could pull it. */
export function parseReference(text: string): ImageReference | undefined {
  if (text.length > MAX_REFERENCE_LENGTH) return undefined;
  if (digestPattern.test(text)) return { repository: '', tag: undefined, digest: text };
  const [named = '', digest, ...more] = text.split('@');
  if (more.length > 0 || (digest !== undefined && !digestPattern.test(digest))) return undefined;
  const colon = named.lastIndexOf(':');
  const hasTag = colon > named.lastIndexOf('/');
  const tag = hasTag ? named.slice(colon + 1) : undefined;
  if (tag !== undefined && !tagPattern.test(tag)) return undefined;
  const repository = explicitRepository(hasTag ? named.slice(0, colon) : named);
  if (repository === undefined) return undefined;
  return { repository, tag: tag ?? (digest === undefined ? 'latest' : undefined), digest };
}

function explicitRepository(name: string): string | undefined {
  const slash = name.indexOf('/');
  const first = name.slice(0, Math.max(slash, 0));
  const namesHost =
    first !== '' && (/[.:[]/.test(first) || first === 'localhost' || first !== first.toLowerCase());
  const host = namesHost ? first : 'docker.io';
  const path = namesHost ? name.slice(slash + 1) : name;
  if (!hostPattern.test(host) || !pathPattern.test(path)) return undefined;
  const isDockerHub = host === 'docker.io' || host === 'index.docker.io';
  if (!isDockerHub) return `${host}/${path}`;
  return path.includes('/') ? `docker.io/${path}` : `docker.io/library/${path}`;
}

/**
 * Whether a text is an image id cut short. Runtimes look such a one up among the images of their node (containerd by
 * `digestset.Lookup`, Docker likewise) before they take it for a name and a tag, so that it can be any of them.
 */
export function isShortenedId(text: string): boolean {
  return /^sha256:[0-9a-f]{1,63}$/.test(text);
}

/**
 * What a reference is looked up by: its digest if it has one, since content with one digest is the same in every
 * repository, else repository:tag.
 */
export function referenceKey(reference: ImageReference): string {
  return reference.digest ?? `${reference.repository}:${reference.tag}`;
}

/** The key that an alias of an image, in whatever form a runtime or a file has it, is found by. */
export function aliasKey(alias: string): string | undefined {
  const reference = parseReference(alias);
  return reference && referenceKey(reference);
}
