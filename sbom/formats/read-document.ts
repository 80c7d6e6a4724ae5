import { SbomError } from '../errors.ts';
import type { ImageContents } from '../image/image-contents.ts';
import { JsonValue, ShapeFault } from '../json-shape.ts';
import { gatherComponents } from './gather-components.ts';
import { parseDocumentJson } from './parse-json.ts';
import { readCycloneDx } from './read-cyclonedx.ts';
import { readSpdx } from './read-spdx.ts';
import type { Reading } from './reading.ts';

/** An SBOM as somebody else wrote it. */
export interface SbomDocument {
  readonly format: 'cyclonedx' | 'spdx';
  readonly specVersion: string;
  /** What it is about, as it says. */
  readonly name: string | undefined;
  /** What it says to be the digest of the image's configuration. */
  readonly imageId: string | undefined;
  /** All digests that it calls its image by: of its manifest mostly. */
  readonly digests: readonly string[];
  /** The layers that it names, in no order; the contents count them by their place here, and -1 is none. */
  readonly diffIds: readonly string[];
  /** Its problems are what may be a package, but cannot be told apart from others, or not be judged. */
  readonly contents: ImageContents;
}

/**
 * Reads CycloneDX 1.2 to 1.7 or SPDX 2.2 and 2.3 in JSON. Throws SbomError `document_invalid`, `document_too_large` or
 * `document_unsupported`.
 */
export function readSbomDocument(bytes: Buffer): SbomDocument {
  const json = new JsonValue(parseDocumentJson(bytes), 'document');
  try {
    const { format, read } = formatOf(json);
    const reading = read(json);
    const { contents, diffIds } = gatherComponents(reading);
    const { specVersion, name, imageId } = reading;
    return {
      format,
      specVersion,
      name,
      imageId,
      digests: [...new Set(reading.digests)],
      diffIds,
      contents,
    };
  } catch (error) {
    if (!(error instanceof ShapeFault)) throw error;
    throw new SbomError('document_invalid', error.message, {
      hint: 'The document is not as its format has it; have the tool that made it check it.',
    });
  }
}

type Format = { readonly format: SbomDocument['format']; readonly read: (json: JsonValue) => Reading };

function formatOf(json: JsonValue): Format {
  if (!json.get('bomFormat').isAbsent) {
    json.get('bomFormat').oneOf(['CycloneDX']);
    return { format: 'cyclonedx', read: readCycloneDx };
  }
  if (!json.get('spdxVersion').isAbsent) return { format: 'spdx', read: readSpdx };
  const isSpdx3 = !json.get('@context').isAbsent || !json.get('@graph').isAbsent;
  throw new SbomError(
    'document_unsupported',
    isSpdx3 ? 'the document is SPDX 3' : 'the document has neither bomFormat nor spdxVersion',
    { hint: 'Read are CycloneDX 1.2 to 1.7, and SPDX 2.2 and 2.3, in JSON.' },
  );
}
