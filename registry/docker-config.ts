import { explain } from '@gatehouse/lib/errors.ts';
import { JsonValue } from '@gatehouse/sbom';
import type { Credentials } from './credentials.ts';
import { RegistryError } from './errors.ts';
import { DOCKER_HUB } from './reference.ts';

/** Docker's configuration, as far as it is about credentials. */
export interface DockerConfig {
  readonly auths: readonly Auth[];
  /** Programs that know credentials, by host; the last word, without a host, is for all others. */
  readonly helpers: ReadonlyMap<string, string>;
  readonly helperOfAll: string | undefined;
}

/** Credentials and what they are for. */
interface Auth {
  readonly host: string;
  /** The first parts of the repositories that it is for; empty for all. */
  readonly path: string;
  readonly credentials: Credentials;
}

/** A Secret has at most 1 MiB, and nobody has more in a file. */
export const MAX_CONFIG_BYTES = 1024 * 1024;
const MAX_ENTRIES = 1000;
/** Tokens of cloud registries have 2 to 4 KiB. */
const MAX_SECRET_LENGTH = 64 * 1024;
/** What Docker itself calls Docker Hub. */
const HUB_NAMES = ['index.docker.io', 'registry-1.docker.io', 'registry.hub.docker.com'];
/** Docker's helpers give this for a user where the secret is an identity token. */
const TOKEN_USER = '<token>';

/**
 * Reads a `config.json`, or a Secret of the type kubernetes.io/dockerconfigjson; or, as `legacy`, of the type
 * kubernetes.io/dockercfg. `where` is what messages call it. Throws RegistryError `credentials_unreadable`.
 */
export function parseDockerConfig(
  text: string,
  where: string,
  form: 'config' | 'legacy' = 'config',
): DockerConfig {
  try {
    if (text.length > MAX_CONFIG_BYTES) throw new Error(`it has more than ${MAX_CONFIG_BYTES} bytes`);
    const value = new JsonValue(parseJson(text), 'config');
    const auths = form === 'legacy' ? value : value.get('auths');
    const helpers = form === 'legacy' ? undefined : value.get('credHelpers').optional(parseHelpers);
    return {
      auths:
        auths.optional((each) => each.members(MAX_ENTRIES, parseAuth).flatMap((auth) => auth ?? [])) ?? [],
      helpers: new Map(helpers),
      helperOfAll: form === 'legacy' ? undefined : value.get('credsStore').optional(parseHelper),
    };
  } catch (error) {
    // Without the error itself: what cannot be understood may be a password.
    throw new RegistryError(
      'credentials_unreadable',
      `the credentials in ${where} cannot be used: ${explain(error)}`,
      {
        hint: 'They have the form of the config.json that `docker login` writes.',
      },
    );
  }
}

/** The credentials of a configuration for a repository: those for the longest path first, wildcards last. */
export function credentialsIn(
  { auths }: DockerConfig,
  host: string,
  repository: string,
): readonly Credentials[] {
  const order = (auth: Auth): number => auth.path.length + (auth.host.includes('*') ? 0 : 0.5);
  return auths
    .filter((auth) => isHostOf(auth.host, host) && isBelow(auth.path, repository))
    .sort((a, b) => order(b) - order(a))
    .map((auth) => auth.credentials);
}

/** What a helper, or an entry, says as a user and a secret. */
export function toCredentials(username: string, secret: string): Credentials {
  return username === TOKEN_USER
    ? { kind: 'identity', token: secret }
    : { kind: 'password', username, password: secret };
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    // What JSON.parse says quotes the text.
    throw new Error('it is not JSON');
  }
}

function parseHelpers(value: JsonValue): [string, string][] {
  return value.members(MAX_ENTRIES, (each, name) => [placeOf(name).host, parseHelper(each)]);
}

/** Part of the name of a program. */
function parseHelper(value: JsonValue): string {
  return value.text((text) => /^[\w.-]{1,64}$/.test(text), 'the name of a helper');
}

function parseAuth(value: JsonValue, name: string): Auth | undefined {
  const credentials = parseCredentials(value);
  return credentials && { ...placeOf(name), credentials };
}

function parseCredentials(value: JsonValue): Credentials | undefined {
  const secret = (key: string): string | undefined => {
    const text = value
      .get(key)
      .optional((each) => each.text((t) => t.length <= MAX_SECRET_LENGTH, 'a short text'));
    return text === '' ? undefined : text;
  };
  const [identity, bearer, auth] = [secret('identitytoken'), secret('registrytoken'), secret('auth')];
  if (bearer !== undefined) {
    // Anything else would not go into a header.
    if (!/^[\x21-\x7e]+$/.test(bearer)) throw value.get('registrytoken').fault('is no token');
    return { kind: 'bearer', token: bearer };
  }
  if (identity !== undefined) return { kind: 'identity', token: identity };
  const [username, password] = [secret('username'), secret('password')];
  if (username !== undefined && password !== undefined) return toCredentials(username, password);
  if (auth === undefined) return undefined;
  const decoded = Buffer.from(auth, 'base64').toString('utf8');
  const colon = decoded.indexOf(':');
  if (colon === -1) throw value.get('auth').fault('is not USER:PASSWORD in base64');
  // Some tools fill up with zeros.
  return toCredentials(decoded.slice(0, colon), decoded.slice(colon + 1).replace(/\0+$/, ''));
}

/** `https://index.docker.io/v1/`, `registry.example`, `registry.example/team`: Docker, Podman and Kubernetes have all. */
function placeOf(name: string): { host: string; path: string } {
  const bare = name.replace(/^https?:\/\//, '').replace(/\/+$/, '');
  const slash = bare.indexOf('/');
  const host = slash === -1 ? bare : bare.slice(0, slash);
  const path = slash === -1 ? '' : bare.slice(slash + 1);
  return { host: HUB_NAMES.includes(host) ? DOCKER_HUB : host, path: /^v[12]$/.test(path) ? '' : path };
}

function isBelow(path: string, repository: string): boolean {
  return path === '' || repository === path || repository.startsWith(`${path}/`);
}

/** Kubernetes takes `*.registry.example`: a star stands for any part of one label. */
function isHostOf(pattern: string, host: string): boolean {
  if (!pattern.includes('*')) return pattern === host;
  const [labels, others] = [pattern.split('.'), host.split('.')];
  return (
    labels.length === others.length && labels.every((label, index) => isLabelOf(label, others[index] ?? ''))
  );
}

function isLabelOf(pattern: string, label: string): boolean {
  const [before = '', after, ...more] = pattern.split('*');
  if (after === undefined) return pattern === label;
  if (more.length > 0) return false;
  return label.length >= before.length + after.length && label.startsWith(before) && label.endsWith(after);
}
