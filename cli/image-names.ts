import type { RuntimeImage } from '@gatehouse/agent/main.ts';
import { CliError } from './errors.ts';

/** No more names than a line or two. */
const MAX_SHOWN = 10;
/** Ids as Docker (12 digits) and Podman (64) show them; fewer digits could as well be a name. */
const ID = /^(?:sha256:)?([0-9a-f]{12,64})$/;

/**
 * The image that people mean by a name or an id; a name without a tag means `latest`, else the one image that has it.
 * Throws CliError `source_unknown` if that is none, or more than one.
 */
export function findNamed(title: string, images: readonly RuntimeImage[], name: string): RuntimeImage {
  for (const isMeant of waysToMean(name)) {
    const [image, ...more] = images.filter(isMeant);
    if (image && more.length === 0) return image;
    if (image) {
      throw new CliError('source_unknown', `${title} has several images that '${name}' could mean`, {
        hint: `Name one of ${shown([image, ...more])}.`,
      });
    }
  }
  throw new CliError('source_unknown', `${title} has no image ${name}`, {
    hint: images.length > 0 ? `It has ${shown(images)}.` : 'It has none at all.',
  });
}

/** From the most literal one on; the first by which there is any image counts. */
function waysToMean(name: string): readonly ((image: RuntimeImage) => boolean)[] {
  const places = [name, `docker.io/${name}`, `docker.io/library/${name}`, `localhost/${name}`];
  const isAmong = (names: readonly string[]) => (image: RuntimeImage) =>
    image.digest === name || image.aliases.some((alias) => names.includes(alias));
  const id = ID.exec(name)?.[1];
  return [
    isAmong(places),
    isAmong(places.map((each) => `${each}:latest`)),
    ({ aliases }) => aliases.some((alias) => places.includes(withoutTag(alias))),
    ({ digest }) => id !== undefined && digest.startsWith(`sha256:${id}`),
  ];
}

/** A port has a slash after it. */
function withoutTag(alias: string): string {
  return alias.replace(/(?:@.*|:[^/@]*)$/, '');
}

function shown(images: readonly RuntimeImage[]): string {
  return images
    .slice(0, MAX_SHOWN)
    .map(({ digest, aliases }) => aliases[0] ?? digest)
    .join(', ');
}
