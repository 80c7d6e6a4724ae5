import { createHash } from 'node:crypto';
import type { ImagePackage } from '../image/image-contents.ts';
import type { OsRelease } from '../os-release.ts';
import { type DescribedImage, TOOL } from './described-image.ts';
import { stableUuid } from './stable-uuid.ts';

/**
 * The time that the format asks for. When a document was made makes no difference to what it says, and the same image
 * is to give the same text.
 */
const CREATED = '1970-01-01T00:00:00Z';
const SUBJECT_ID = 'SPDXRef-Image';
const SYSTEM_ID = 'SPDXRef-OperatingSystem';
const UNSAID = 'NOASSERTION';

/** The image as SPDX 2.3 (https://spdx.github.io/spdx-spec/v2.3/) in JSON. */
export function toSpdx(image: DescribedImage): string {
  const { os } = image.contents;
  const packages = image.contents.packages.map((each) => ({ each, id: idOf(each) }));
  const contained = [...(os ? [SYSTEM_ID] : []), ...packages.map(({ id }) => id)];
  const document = {
    packages: [
      subjectOf(image),
      ...(os ? [systemOf(os)] : []),
      ...packages.map(({ each, id }) => packageOf(each, id, image.diffIds)),
    ],
    relationships: [
      { spdxElementId: 'SPDXRef-DOCUMENT', relationshipType: 'DESCRIBES', relatedSpdxElement: SUBJECT_ID },
      ...contained.map((id) => ({
        spdxElementId: SUBJECT_ID,
        relationshipType: 'CONTAINS',
        relatedSpdxElement: id,
      })),
    ],
  };
  const head = {
    spdxVersion: 'SPDX-2.3',
    dataLicense: 'CC0-1.0',
    SPDXID: 'SPDXRef-DOCUMENT',
    name: image.name,
    documentNamespace: `https://gatehouse.dev/spdx/${stableUuid(JSON.stringify(document))}`,
    creationInfo: { created: CREATED, creators: [`Tool: ${TOOL}`] },
  };
  return `${JSON.stringify({ ...head, ...document }, undefined, 2)}\n`;
}

function subjectOf({ name, digest }: DescribedImage) {
  return {
    SPDXID: SUBJECT_ID,
    name,
    ...(digest !== undefined && { versionInfo: digest }),
    downloadLocation: UNSAID,
    filesAnalyzed: false,
    ...(digest !== undefined && { primaryPackagePurpose: 'CONTAINER' }),
  };
}

function systemOf({ id, versionId, prettyName }: OsRelease) {
  return {
    SPDXID: SYSTEM_ID,
    name: id,
    ...(versionId !== undefined && { versionInfo: versionId }),
    ...(prettyName !== undefined && { description: prettyName }),
    downloadLocation: UNSAID,
    filesAnalyzed: false,
    primaryPackagePurpose: 'OPERATING_SYSTEM',
  };
}

function packageOf(each: ImagePackage, id: string, diffIds: readonly string[]) {
  const places = each.locations.map(({ path, layer }) =>
    diffIds[layer] === undefined ? path : `${path} (layer ${diffIds[layer]})`,
  );
  return {
    SPDXID: id,
    name: each.name,
    versionInfo: each.version,
    downloadLocation: UNSAID,
    filesAnalyzed: false,
    ...(places.length > 0 && { sourceInfo: `found in ${places.join(', ')}` }),
    externalRefs: [
      { referenceCategory: 'PACKAGE-MANAGER', referenceType: 'purl', referenceLocator: each.purl },
    ],
  };
}

/** Ids are letters, digits, dots and hyphens only, and a package URL is what tells packages apart. */
function idOf({ type, purl }: ImagePackage): string {
  return `SPDXRef-Package-${type.replaceAll('+', '-')}-${createHash('sha256').update(purl).digest('hex').slice(0, 16)}`;
}
