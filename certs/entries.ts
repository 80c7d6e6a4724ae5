import type { X509Certificate } from 'node:crypto';
import { isIssuedBy, parseCertificates, parseServingPair } from './certificate.ts';
import { CertsError } from './errors.ts';
import { bundleOf, type Generation, type Material } from './material.ts';

/** Named texts: the data of a Secret, or the files of a folder. */
export type Entries = Readonly<Record<string, string>>;
/** What is undefined has to go. */
export type NewEntries = Readonly<Record<string, string | undefined>>;

/**
 * The names that tools expect in a TLS Secret, those of what is served next, and the state of the rotation.
 * `ca.crt` holds all authorities; which of them signed which leaf is found by their signatures.
 */
export const entryNames = {
  cert: 'tls.crt',
  key: 'tls.key',
  bundle: 'ca.crt',
  nextCert: 'next-tls.crt',
  nextKey: 'next-tls.key',
  rotation: 'rotation.json',
} as const;

export function toEntries(material: Material): NewEntries {
  const { serving, next, retired } = material;
  return {
    [entryNames.cert]: serving.leaf.toString(),
    [entryNames.key]: serving.key,
    [entryNames.bundle]: bundleOf(material),
    [entryNames.nextCert]: next?.generation.leaf.toString(),
    [entryNames.nextKey]: next?.generation.key,
    [entryNames.rotation]: JSON.stringify({
      renewal: material.renewal,
      nextPublishedAt: next?.publishedAt,
      retiredAt: retired?.since,
    }),
  };
}

/**
 * Undefined where nothing was ever written. Throws CertsError if what is served is unreadable or does not belong
 * together; a next generation in that state is left out instead, since a new one takes its place without harm.
 */
export function fromEntries(entries: Entries): Material | undefined {
  if (!entries[entryNames.cert] && !entries[entryNames.bundle]) return undefined;
  const authorities = parseCertificates(entries[entryNames.bundle] ?? '');
  const serving = parseGeneration(authorities, entries[entryNames.cert], entries[entryNames.key]);
  const next = optionalGeneration(authorities, entries);
  const state = parseState(entries[entryNames.rotation]);
  const retired = authorities.filter((each) => each !== serving.authority && each !== next?.authority);
  return {
    serving,
    next: next && { generation: next, publishedAt: state.nextPublishedAt },
    retired:
      retired.length === 0 ? undefined : { authorities: retired, since: state.retiredAt ?? new Date(0) },
    renewal: state.renewal,
  };
}

function parseGeneration(authorities: readonly X509Certificate[], cert = '', key = ''): Generation {
  const { certificate: leaf } = parseServingPair(cert, key);
  const authority = authorities.find((each) => isIssuedBy(leaf, each));
  if (authority) return { authority, leaf, key };
  throw new CertsError(
    'certificate_mismatch',
    `no authority at hand signed the certificate ${leaf.serialNumber}`,
  );
}

function optionalGeneration(
  authorities: readonly X509Certificate[],
  entries: Entries,
): Generation | undefined {
  try {
    return parseGeneration(authorities, entries[entryNames.nextCert], entries[entryNames.nextKey]);
  } catch {
    return undefined;
  }
}

interface RotationState {
  readonly renewal: string;
  readonly nextPublishedAt: Date | undefined;
  readonly retiredAt: Date | undefined;
}

/** A state that does not parse costs no certificate: what is next settles anew, and what is retired goes at once. */
function parseState(text = '{}'): RotationState {
  const state = parseObject(text);
  return {
    renewal: typeof state.renewal === 'string' ? state.renewal : '',
    nextPublishedAt: parseTime(state.nextPublishedAt),
    retiredAt: parseTime(state.retiredAt),
  };
}

function parseObject(text: string): Readonly<Record<string, unknown>> {
  try {
    const parsed: unknown = JSON.parse(text);
    return typeof parsed === 'object' && parsed !== null ? { ...parsed } : {};
  } catch {
    return {};
  }
}

function parseTime(value: unknown): Date | undefined {
  const time = typeof value === 'string' ? Date.parse(value) : Number.NaN;
  return Number.isNaN(time) ? undefined : new Date(time);
}
