import type { ImagePackage } from '../image/image-contents.ts';
import type { OsRelease } from '../os-release.ts';
import { type DescribedImage, TOOL } from './described-image.ts';
import { stableUuid } from './stable-uuid.ts';

/**
 * The image as CycloneDX 1.6 (https://cyclonedx.org/docs/1.6/json/): each package with its package URL, the files that
 * prove it and the layers that brought them. No time stands in it: the same image gives the same text.
 */
export function toCycloneDx(image: DescribedImage): string {
  const { packages, os } = image.contents;
  const subject = {
    'bom-ref': image.digest ?? image.name,
    type: image.digest ? 'container' : 'file',
    name: image.name,
    ...(image.digest && { version: image.digest }),
  };
  const components = [
    ...(os ? [systemComponent(os)] : []),
    ...packages.map((each) => packageComponent(each, image.diffIds)),
  ];
  const document = {
    metadata: { tools: { components: [{ type: 'application', name: TOOL }] }, component: subject },
    components,
    dependencies: [
      { ref: subject['bom-ref'], dependsOn: components.map((component) => component['bom-ref']) },
    ],
  };
  const serialNumber = `urn:uuid:${stableUuid(JSON.stringify(document))}`;
  const head = { bomFormat: 'CycloneDX', specVersion: '1.6', serialNumber, version: 1 };
  return `${JSON.stringify({ ...head, ...document }, undefined, 2)}\n`;
}

function systemComponent({ id, versionId, prettyName }: OsRelease) {
  return {
    'bom-ref': `os:${id}@${versionId ?? ''}`,
    type: 'operating-system',
    name: id,
    ...(versionId !== undefined && { version: versionId }),
    ...(prettyName !== undefined && { description: prettyName }),
  };
}

function packageComponent(each: ImagePackage, diffIds: readonly string[]) {
  const { type, name, version, purl, layer, locations } = each;
  const diffId = diffIds[layer];
  return {
    'bom-ref': purl,
    type: type === 'generic' ? 'application' : 'library',
    ...(type === 'maven' && name.includes(':') ? mavenNames(name) : { name }),
    version,
    purl,
    ...(diffId !== undefined && { properties: [{ name: `${TOOL}:layer:diffId`, value: diffId }] }),
    ...(locations.length > 0 && {
      evidence: {
        occurrences: locations.map((location) => ({
          location: location.path,
          ...(diffIds[location.layer] !== undefined && { additionalContext: diffIds[location.layer] }),
        })),
      },
    }),
  };
}

function mavenNames(name: string): { group: string; name: string } {
  const colon = name.indexOf(':');
  return { group: name.slice(0, colon), name: name.slice(colon + 1) };
}
