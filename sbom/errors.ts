import { CodedError } from '@gatehouse/lib/errors.ts';

export const sbomErrorCodes = {
  layer_corrupt: 'A layer is not a tar archive that a container runtime could unpack.',
  layer_too_large: 'A layer has more entries, longer paths in sum, or more bytes than are read.',
  layer_unreadable: 'A layer, or the folder of a layer, cannot be opened or read.',
  layer_mismatch: 'The content of a layer does not have the digest that the image names for it.',
  opacity_unknown:
    'It cannot be told from the folders alone whether a folder of a layer hides the ones below it.',
  fragment_invalid: 'The bytes are not a fragment, or it says things that no layer can say.',
  fragment_too_large: 'A fragment is larger than a reader would accept.',
  document_invalid: 'An SBOM is not JSON, or not as its format has it; the message says where.',
  document_too_large: 'An SBOM has more bytes, values or depth than are read.',
  document_unsupported: 'A document is no SBOM of a format and version that are read.',
  source_invalid: 'The text does not name an image source that is known here.',
  source_unreadable: 'The file or folder of an image source cannot be opened or read.',
  source_corrupt: 'An image source lacks a part, has one that cannot be read, or one with another digest.',
  image_ambiguous: 'A source holds several images and it was not said which one is meant.',
  image_unknown: 'A source holds no image of the given tag, or none for a platform that can be chosen.',
} as const;

export class SbomError extends CodedError<keyof typeof sbomErrorCodes> {}
