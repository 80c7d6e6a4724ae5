import { JsonValue } from '../json-shape.ts';
import { parseDigest } from './digest.ts';
import { type Platform, parsePlatform } from './platform.ts';

/** What an image's config says of its layers. OCI image-spec, config.md. */
export interface ImageConfig {
  readonly platform: Platform;
  readonly diffIds: readonly string[];
}

/** Overlayfs takes 500 lower folders; Docker and containerd stop at 127 layers. */
export const MAX_LAYERS = 500;

export function parseConfig(value: JsonValue): ImageConfig {
  return {
    platform: parsePlatform(value),
    diffIds: value.get('rootfs').get('diff_ids').list(MAX_LAYERS, parseDigest),
  };
}

/** What the bytes of a configuration say. Throws a plain error that says where they are not of its form. */
export function parseImageConfig(bytes: Buffer): ImageConfig {
  return parseConfig(new JsonValue(JSON.parse(bytes.toString('utf8')), 'config'));
}
