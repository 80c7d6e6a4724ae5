import { createHash } from 'node:crypto';
import type { IncomingHttpHeaders } from 'node:http';
import { RegistryError } from './errors.ts';

/** A manifest, an index, or whatever else a registry has by a tag or a digest. */
export interface RegistryDocument {
  readonly digest: string;
  readonly mediaType: string;
  readonly bytes: Buffer;
}

/** What registries take at most (distribution-spec, "Pushing Manifests"). */
export const MAX_MANIFEST_BYTES = 4 * 1024 * 1024;

/** What is asked for, in a header: registries that are asked for nothing give schema 1. */
export const ACCEPTED_TYPES = [
  'application/vnd.oci.image.manifest.v1+json',
  'application/vnd.oci.image.index.v1+json',
  'application/vnd.docker.distribution.manifest.v2+json',
  'application/vnd.docker.distribution.manifest.list.v2+json',
].join(', ');
/** What plain file servers say of any document. */
const ANY_TYPE = /^(application\/(json|octet-stream)|text\/plain)$/;

/**
 * Checks a document against what it is known by, and its type against what it says itself: one that could be taken for
 * either of two things would show us another image than the runtime (CVE-2021-41190). Throws RegistryError.
 */
export function toDocument(
  bytes: Buffer,
  headers: IncomingHttpHeaders,
  { name, digest }: { readonly name: string; readonly digest: string | undefined },
): RegistryDocument {
  const actual = `sha256:${createHash('sha256').update(bytes).digest('hex')}`;
  const announced = headers['docker-content-digest'];
  const expected =
    digest ?? (typeof announced === 'string' && announced.startsWith('sha256:') ? announced : actual);
  if (actual !== expected) {
    throw new RegistryError('content_mismatch', `${name} has the digest ${actual}, not ${expected}`);
  }
  const said = headers['content-type']?.split(';')[0]?.trim().toLowerCase() ?? '';
  const { schemaVersion, mediaType: own = said, manifests, layers } = parseObject(bytes, name);
  if (schemaVersion === 1) {
    throw new RegistryError('image_unsupported', `${name} is an image of schema 1`, {
      hint: 'Push it again with a Docker of this decade; registries convert nothing.',
    });
  }
  if (typeof own !== 'string' || own.length > 256 || (said !== '' && own !== said && !ANY_TYPE.test(said))) {
    throw new RegistryError(
      'registry_answer_invalid',
      `${name} is sent as ${said}, but says to be another thing`,
    );
  }
  if (manifests !== undefined && layers !== undefined) {
    throw new RegistryError('registry_answer_invalid', `${name} is both an index and a manifest`);
  }
  return { digest: actual, mediaType: own, bytes };
}

function parseObject(bytes: Buffer, name: string): Readonly<Record<string, unknown>> {
  try {
    const value: unknown = JSON.parse(bytes.toString('utf8'));
    if (typeof value === 'object' && value !== null && !Array.isArray(value)) {
      return value as Record<string, unknown>;
    }
  } catch {
    // Said below.
  }
  throw new RegistryError('registry_answer_invalid', `${name} is not a JSON object`);
}
