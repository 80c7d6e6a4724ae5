import type { JsonValue } from '../json-shape.ts';

const DIGEST = /^sha256:[0-9a-f]{64}$/;

export function parseDigest(value: JsonValue): string {
  return value.text((text) => DIGEST.test(text), 'a SHA-256 digest');
}

/** Where an OCI layout keeps a blob. OCI image-spec, image-layout.md. */
export function blobPath(digest: string): string {
  return `blobs/${digest.replace(':', '/')}`;
}
