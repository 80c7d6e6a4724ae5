import type { JsonValue } from '../json-shape.ts';
import { isPackageText } from '../package.ts';
import {
  type Component,
  digestIn,
  isText,
  listIn,
  MAX_COMPONENTS,
  MAX_PLACES,
  type Place,
  placeOf,
  type Reading,
  textIn,
} from './reading.ts';

const VERSIONS = ['SPDX-2.2', 'SPDX-2.3'] as const;
/** Files and what relates to them are many times the packages. */
const MAX_ELEMENTS = 1_000_000;
const MAX_REFERENCES = 10_000;

/** What a tool says in prose of which package it was built from, as Trivy does. */
const BUILT_FROM = /^built package from: (\S+) (\S+)$/;
/** Our own prose. */
const FOUND_IN = /(?:^found in |, )(.+?) \(layer (sha256:[0-9a-f]{64})\)/g;

/** SPDX 2.2 and 2.3 in JSON: https://spdx.github.io/spdx-spec/v2.3/. Throws ShapeFault. */
export function readSpdx(document: JsonValue): Reading {
  const specVersion = document.get('spdxVersion').oneOf(VERSIONS);
  const packages = listIn(document, 'packages', MAX_COMPONENTS).map((value) => ({
    id: textIn(value, 'SPDXID') ?? '',
    value,
  }));
  const relations = listIn(document, 'relationships', MAX_ELEMENTS).map(relationOf);
  const described = new Set([
    ...listIn(document, 'documentDescribes', MAX_COMPONENTS).map((id) => id.text(isText, 'an id')),
    ...relations.filter(({ kind }) => kind === 'DESCRIBES').map(({ to }) => to),
  ]);
  const isSubject = ({ id, value }: { id: string; value: JsonValue }): boolean =>
    purposeOf(value) === 'CONTAINER' || (described.has(id) && isImage(value));
  const subjects = packages.filter(isSubject).map(({ value }) => value);
  const places = placesById(document, relations);
  return {
    specVersion: specVersion.replace('SPDX-', ''),
    name: textIn(document, 'name'),
    imageId: subjects.flatMap((value) => imageIdOf(document, value) ?? [])[0],
    digests: subjects.flatMap(digestsOf),
    system: packages
      .filter(({ value }) => purposeOf(value) === 'OPERATING_SYSTEM')
      .map(({ value }) => systemOf(value))[0],
    components: packages
      .filter((each) => isPackage(each.value) && !isSubject(each))
      .map(({ id, value }) => toComponent(value, places.get(id) ?? [])),
  };
}

/** What is described may be the image, or a package that somebody wrote the document for. */
function isImage(value: JsonValue): boolean {
  const purl = purlOf(value);
  return purl === undefined || /^pkg:(?:oci|docker)\//i.test(purl);
}

function isPackage(value: JsonValue): boolean {
  if (purlOf(value) !== undefined) return true;
  return !['CONTAINER', 'FILE', 'OPERATING_SYSTEM', 'SOURCE', 'ARCHIVE', 'DEVICE', 'FIRMWARE'].includes(
    purposeOf(value),
  );
}

/** The schema has an underscore where the specification has a hyphen. */
function purposeOf(value: JsonValue): string {
  return (textIn(value, 'primaryPackagePurpose') ?? '').replace('-', '_');
}

function purlOf(value: JsonValue): string | undefined {
  const found = listIn(value, 'externalRefs', MAX_REFERENCES).find(
    (each) => textIn(each, 'referenceType') === 'purl',
  );
  return found && textIn(found, 'referenceLocator');
}

function digestsOf(value: JsonValue): string[] {
  const sums = listIn(value, 'checksums', MAX_REFERENCES)
    .filter((each) => textIn(each, 'algorithm') === 'SHA256')
    .map((each) => `sha256:${textIn(each, 'checksumValue')?.toLowerCase()}`);
  return [textIn(value, 'versionInfo'), purlOf(value), ...sums].flatMap((text) => digestIn(text) ?? []);
}

/** Trivy tells it in notes; we call the image by it. */
function imageIdOf(document: JsonValue, value: JsonValue): string | undefined {
  const notes = [
    ...listIn(value, 'annotations', MAX_REFERENCES).map((each) => textIn(each, 'comment') ?? ''),
    ...listIn(value, 'attributionTexts', MAX_REFERENCES).map((each) => each.text(isText, 'a text')),
  ];
  const told = notes.find((note) => note.startsWith('ImageID: '));
  if (told !== undefined) return digestIn(told);
  const creators = listIn(document.get('creationInfo'), 'creators', MAX_REFERENCES).map((each) =>
    each.text(isText, 'a text'),
  );
  return creators.includes('Tool: gatehouse') ? digestIn(textIn(value, 'versionInfo')) : undefined;
}

function systemOf(value: JsonValue): Reading['system'] {
  const id = value.get('name').text(isPackageText, 'a short, printable text');
  const versionId = textIn(value, 'versionInfo');
  const prettyName = textIn(value, 'description');
  return [versionId, prettyName].every((text) => text === undefined || isPackageText(text))
    ? { id, versionId, prettyName }
    : { id };
}

function toComponent(value: JsonValue, places: readonly Place[]): Component {
  const prose = textIn(value, 'sourceInfo') ?? '';
  const [, name, version] = BUILT_FROM.exec(prose) ?? [];
  const told = textIn(value, 'versionInfo');
  return {
    where: value.where,
    name: value.get('name').text(isPackageText, 'a short, printable text'),
    version: told === 'NOASSERTION' ? undefined : told,
    purl: purlOf(value),
    kind: undefined,
    source: name !== undefined && version !== undefined ? { name, version } : undefined,
    places: [...places, ...[...prose.matchAll(FOUND_IN)].map(([, path = '', layer]) => placeOf(path, layer))],
  };
}

interface Relation {
  readonly from: string;
  readonly kind: string;
  readonly to: string;
}

function relationOf(value: JsonValue): Relation {
  const text = (key: string): string => value.get(key).text(isText, 'a text');
  return { from: text('spdxElementId'), kind: text('relationshipType'), to: text('relatedSpdxElement') };
}

/** Files that a package is evident by, as Syft tells them, or contains, by the id of the package. */
function placesById(document: JsonValue, relations: readonly Relation[]): ReadonlyMap<string, Place[]> {
  const files = new Map(
    listIn(document, 'files', MAX_ELEMENTS).map((file): [string, Place] => [
      textIn(file, 'SPDXID') ?? '',
      placeOf(file.get('fileName').text(isText, 'a text'), textIn(file, 'comment')),
    ]),
  );
  const places = new Map<string, Place[]>();
  for (const { from, kind, to } of relations) {
    const place = files.get(to);
    if (!place || !['OTHER', 'CONTAINS'].includes(kind)) continue;
    const known = places.get(from) ?? [];
    if (known.length < MAX_PLACES) known.push(place);
    places.set(from, known);
  }
  return places;
}
