import { arch } from 'node:process';
import { SbomError } from '../errors.ts';
import type { JsonValue } from '../json-shape.ts';

/** What an image runs on, in the words of GOOS and GOARCH. */
export interface Platform {
  readonly os: string;
  readonly architecture: string;
  readonly variant?: string | undefined;
}

/** Node's names of architectures that Go calls otherwise. */
const goNames: Readonly<Record<string, string>> = { x64: 'amd64', ia32: '386', ppc64: 'ppc64le' };

/** Which platform of several is taken: this machine's own, for that is what would run here, else the most common one. */
const preferences: readonly Platform[] = [
  { os: 'linux', architecture: goNames[arch] ?? arch },
  { os: 'linux', architecture: 'amd64' },
];

/**
 * The item for the wanted platform. Where none is wanted: for a preferred platform, or the only item. Undefined if there
 * is none. A variant that is not wanted in particular may be any: `linux/arm` takes the first of `linux/arm/v6` and
 * `linux/arm/v7`.
 */
export function choosePlatform<T extends { readonly platform?: Platform | undefined }>(
  items: readonly T[],
  wanted?: Platform,
): T | undefined {
  for (const wish of wanted ? [wanted] : preferences) {
    const found = items.find(({ platform }) => platform && isFulfilled(platform, wish));
    if (found) return found;
  }
  // What names no platform at all may be any; with a wish, the configuration tells later whether it is fulfilled.
  const [only, ...others] = items;
  if (others.length > 0) return undefined;
  return wanted && only?.platform ? undefined : only;
}

/** Throws SbomError `image_unknown` if an image is for another platform than the wanted one. */
export function checkPlatform(name: string, platform: Platform, wanted: Platform | undefined): void {
  if (wanted === undefined || isFulfilled(platform, wanted)) return;
  throw new SbomError(
    'image_unknown',
    `${name} is for ${describePlatform(platform)}, not for ${describePlatform(wanted)}`,
  );
}

/** What names no variant may be for any: configurations often leave it out. */
function isFulfilled(platform: Platform, { os, architecture, variant }: Platform): boolean {
  if (platform.os !== os || platform.architecture !== architecture) return false;
  return variant === undefined || (platform.variant ?? variant) === variant;
}

/** A platform as people write it: `linux/arm64` or `linux/arm/v7`. Throws a plain error. */
export function readPlatform(text: string): Platform {
  const [os, architecture, variant, ...more] = text.split('/');
  const words = [os, architecture, variant ?? 'none'];
  if (more.length > 0 || !words.every((word) => word !== undefined && WORD.test(word) && word !== '')) {
    throw new Error('expected OS/ARCHITECTURE or OS/ARCHITECTURE/VARIANT, such as linux/arm64');
  }
  return { os: os ?? '', architecture: architecture ?? '', variant };
}

export function parsePlatform(value: JsonValue): Platform {
  return {
    os: parseWord(value.get('os')),
    architecture: parseWord(value.get('architecture')),
    variant: value.get('variant').optional(parseWord),
  };
}

const WORD = /^[\w.-]{0,64}$/;

function parseWord(value: JsonValue): string {
  return value.text((text) => WORD.test(text), 'a short word');
}

export function describePlatform({ os, architecture, variant }: Platform): string {
  return [os, architecture, variant].filter(Boolean).join('/');
}
