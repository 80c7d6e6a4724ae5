import type { NamedImage } from './images.ts';
import { parseReference, referenceKey } from './reference.ts';
import type { KnownImage, VerdictSource } from './verdict-index.ts';

/** An image that an object names, with the images of the store that it may be; none if it is unknown. */
export interface FoundImage extends NamedImage {
  readonly candidates: readonly KnownImage[];
}

/** Looks an image up by what its reference says. A reference that no runtime could pull names nothing. */
export function findImage(image: NamedImage, verdicts: VerdictSource): FoundImage {
  const reference = parseReference(image.reference);
  return { ...image, candidates: reference ? verdicts.find(referenceKey(reference)) : [] };
}
