import { readFile } from 'node:fs/promises';
import { list, type OptionValues, text } from '@gatehouse/lib/options.ts';
import { RegistryError } from './errors.ts';
import { isHost } from './reference.ts';

/** Where an image can be had: a registry, and what stands there before the names of repositories. */
export interface Endpoint {
  readonly host: string;
  /** Empty, or such as `proxy/`. */
  readonly prefix: string;
}

/** How registries are reached. */
export interface RegistrySettings {
  /** What is asked before the registry itself, in this order. */
  readonly mirrors: ReadonlyMap<string, readonly Endpoint[]>;
  /** Those that may prove nothing, or speak plain http. */
  readonly insecure: ReadonlySet<string>;
  /** Authorities in PEM, besides those of the system. */
  readonly authority: string | undefined;
}

/** For tests and for those who have nothing to set. */
export const plainSettings: RegistrySettings = {
  mirrors: new Map(),
  insecure: new Set(),
  authority: undefined,
};

/** The settings of every command that reads registries. */
export const registryOptions = {
  registryMirror: {
    ...list('HOST=MIRROR,…', 'where images of a registry are looked for first, in this order'),
    parse: parseMirrors,
  },
  insecureRegistry: {
    ...list('HOST,…', 'registries that may speak plain http, or have a certificate that proves nothing'),
    parse: (given: string) => new Set(list('', '').parse(given).map(checkedHost)),
  },
  registryCa: text('FILE', 'authorities of registries, besides those of the system', ''),
};

/** Reads what the options name. Throws RegistryError `credentials_unreadable`. */
export async function readSettings(options: OptionValues<typeof registryOptions>): Promise<RegistrySettings> {
  const { registryMirror: mirrors, insecureRegistry: insecure, registryCa } = options;
  return { mirrors, insecure, authority: registryCa === '' ? undefined : await readAuthority(registryCa) };
}

async function readAuthority(file: string): Promise<string> {
  try {
    return await readFile(file, 'utf8');
  } catch (cause) {
    throw new RegistryError('credentials_unreadable', `cannot read the authorities in ${file}`, { cause });
  }
}

/** `docker.io=one.example,two.example/proxy,quay.io=one.example`: what has no host of its own belongs to the last one. */
function parseMirrors(given: string): ReadonlyMap<string, readonly Endpoint[]> {
  const mirrors = new Map<string, Endpoint[]>();
  let last: string | undefined;
  for (const item of list('', '').parse(given)) {
    const [, host = last, mirror = ''] = /^(?:([^=]*)=)?(.*)$/.exec(item) ?? [];
    if (host === undefined) throw new Error('expected HOST=MIRROR, such as docker.io=mirror.example');
    last = checkedHost(host);
    const [, at = '', prefix = ''] = /^([^/]*)((?:\/[a-z0-9._-]+)*)\/?$/.exec(mirror) ?? [];
    const endpoint = { host: checkedHost(at), prefix: prefix === '' ? '' : `${prefix.slice(1)}/` };
    mirrors.set(last, [...(mirrors.get(last) ?? []), endpoint]);
  }
  return mirrors;
}

function checkedHost(host: string): string {
  if (!isHost(host)) throw new Error(`'${host}' is no HOST or HOST:PORT`);
  return host;
}
