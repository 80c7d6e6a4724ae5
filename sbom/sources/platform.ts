import { arch } from 'node:process';
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

/** The item for a preferred platform, or the only item; undefined if there is neither. */
export function choosePlatform<T extends { readonly platform?: Platform | undefined }>(
  items: readonly T[],
): T | undefined {
  for (const { os, architecture } of preferences) {
    const found = items.find(({ platform }) => platform?.os === os && platform.architecture === architecture);
    if (found) return found;
  }
  return items.length === 1 ? items[0] : undefined;
}

export function parsePlatform(value: JsonValue): Platform {
  return {
    os: parseWord(value.get('os')),
    architecture: parseWord(value.get('architecture')),
    variant: value.get('variant').optional(parseWord),
  };
}

function parseWord(value: JsonValue): string {
  return value.text((text) => /^[\w.-]{0,64}$/.test(text), 'a short word');
}

export function describePlatform({ os, architecture, variant }: Platform): string {
  return [os, architecture, variant].filter(Boolean).join('/');
}
