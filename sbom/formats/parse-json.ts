import { SbomError } from '../errors.ts';

/** Syft says some 3 KiB a package and as much a file; the images with the most have a few thousand packages. */
export const MAX_DOCUMENT_BYTES = 32 * 1024 * 1024;
/** Components in components stop sooner; nothing else of the formats nests by more than ten. */
const MAX_DEPTH = 100;
/**
 * An empty list takes three bytes of a document and tens of memory. Documents have some twenty bytes a value, so that
 * the largest that is read has half of these.
 */
const MAX_VALUES = 3_000_000;

const [QUOTE, BACKSLASH, COMMA] = [0x22, 0x5c, 0x2c];
const [OPEN_LIST, CLOSE_LIST, OPEN_OBJECT, CLOSE_OBJECT] = [0x5b, 0x5d, 0x7b, 0x7d];

/**
 * A JSON document that anyone may have sent, measured before it is taken apart. Throws SbomError `document_too_large` or
 * `document_invalid`.
 */
export function parseDocumentJson(bytes: Buffer): unknown {
  if (bytes.length > MAX_DOCUMENT_BYTES) {
    throw tooLarge(`has ${bytes.length} bytes; the most is ${MAX_DOCUMENT_BYTES}`);
  }
  measure(bytes);
  try {
    return JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(bytes));
  } catch {
    // The parser's own words quote the document, and change with its version.
    throw new SbomError('document_invalid', 'the document is not JSON in UTF-8', {
      hint: 'CycloneDX and SPDX are read in their JSON form only: ask for cyclonedx-json or spdx-json.',
    });
  }
}

function measure(bytes: Buffer): void {
  let depth = 0;
  let values = 1;
  for (let at = 0; at < bytes.length; at++) {
    const byte = bytes[at];
    if (byte === QUOTE) at = endOfString(bytes, at + 1);
    else if (byte === COMMA) values++;
    else if (byte === CLOSE_LIST || byte === CLOSE_OBJECT) depth--;
    else if (byte === OPEN_LIST || byte === OPEN_OBJECT) {
      values++;
      if (++depth > MAX_DEPTH) throw tooLarge(`is nested more than ${MAX_DEPTH} deep`);
    }
    if (values > MAX_VALUES) throw tooLarge(`has more than ${MAX_VALUES} values`);
  }
}

/** Where the quote stands that ends a string; the end of the document if none does. */
function endOfString(bytes: Buffer, from: number): number {
  let at = from;
  while (at < bytes.length && bytes[at] !== QUOTE) at += bytes[at] === BACKSLASH ? 2 : 1;
  return at;
}

function tooLarge(what: string): SbomError {
  return new SbomError('document_too_large', `the document ${what}`, {
    hint: 'Have it made without the files of the image: packages are enough.',
  });
}
