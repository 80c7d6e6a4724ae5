import { SbomError } from '../errors.ts';
import { beyondBounds } from '../json-measure.ts';

/**
 * Syft says some 3 KiB a package, and the images with the most have a few thousand packages; as much a file, which can be
 * left out. It is parsed where all calls are answered, which wait for it meanwhile.
 */
export const MAX_DOCUMENT_BYTES = 16 * 1024 * 1024;
/**
 * Components in components stop sooner; nothing else of the formats nests by more than ten. Documents have some twenty
 * bytes a value, so that the largest that is read has half of these.
 */
const BOUNDS = { depth: 100, values: 1_500_000 };

/**
 * A JSON document that anyone may have sent, measured before it is taken apart. Throws SbomError `document_too_large` or
 * `document_invalid`.
 */
export function parseDocumentJson(bytes: Buffer): unknown {
  if (bytes.length > MAX_DOCUMENT_BYTES) {
    throw tooLarge(`has ${bytes.length} bytes; the most is ${MAX_DOCUMENT_BYTES}`);
  }
  const beyond = beyondBounds(bytes, BOUNDS);
  if (beyond !== undefined) throw tooLarge(beyond);
  try {
    return JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(bytes));
  } catch {
    // The parser's own words quote the document, and change with its version.
    throw new SbomError('document_invalid', 'the document is not JSON in UTF-8', {
      hint: 'CycloneDX and SPDX are read in their JSON form only: ask for cyclonedx-json or spdx-json.',
    });
  }
}

function tooLarge(what: string): SbomError {
  return new SbomError('document_too_large', `the document ${what}`, {
    hint: 'Have it made without the files of the image: packages are enough.',
  });
}
