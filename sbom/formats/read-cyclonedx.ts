import type { JsonValue } from '../json-shape.ts';
import type { OsRelease } from '../os-release.ts';
import { isPackageText } from '../package.ts';
import { TOOL } from './described-image.ts';
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

/** The forms differ in what they add, not in what is read here. */
const VERSIONS = ['1.2', '1.3', '1.4', '1.5', '1.6', '1.7'] as const;
/** Tools nest what is in an archive, in a program or in an image: three deep. */
const MAX_NESTING = 32;
/** Syft has one for each guess at a product's name: dozens at most. */
const MAX_PROPERTIES = 10_000;
const MAX_TOOLS = 1_000;

/** Kinds of components that can be packages; the others are files, machines, data and so on. */
const PACKAGE_KINDS: ReadonlySet<string> = new Set(['application', 'framework', 'library']);

/** CycloneDX in JSON: https://cyclonedx.org/docs/1.6/json/. Throws ShapeFault. */
export function readCycloneDx(document: JsonValue): Reading {
  const specVersion = document.get('specVersion').oneOf(VERSIONS);
  const metadata = document.get('metadata').optional((value) => value);
  const subject = metadata?.get('component').optional((value) => value);
  const all = [...(subject ? componentsIn(subject, 0) : []), ...componentsIn(document, 0)];
  if (all.length > MAX_COMPONENTS) throw document.fault(`has more than ${MAX_COMPONENTS} components`);
  const about = subject && subjectOf(subject);
  return {
    specVersion,
    name: about?.name,
    // We call an image by its configuration, others by its manifest.
    imageId: about?.imageId ?? (metadata && isOurs(metadata) ? about?.digests[0] : undefined),
    digests: about?.digests ?? [],
    system: all.filter(({ kind }) => kind === 'operating-system').map(systemOf)[0],
    components: [
      ...(about?.purl && !isImageUrl(about.purl) && subject ? [subject] : []),
      ...all.filter(isPackage).map(({ value }) => value),
    ].map(toComponent),
  };
}

interface Found {
  readonly kind: string;
  readonly value: JsonValue;
}

function componentsIn(parent: JsonValue, depth: number): Found[] {
  if (depth > MAX_NESTING) throw parent.fault(`is nested more than ${MAX_NESTING} deep`);
  const children = listIn(parent, 'components', MAX_COMPONENTS);
  return children.flatMap((value) => [
    { kind: textIn(value, 'type') ?? '', value },
    ...componentsIn(value, depth + 1),
  ]);
}

/** Trivy puts the packages of a lock file beside a component for the file itself, which is none. */
function isPackage({ kind, value }: Found): boolean {
  if (!value.get('purl').isAbsent) return true;
  return PACKAGE_KINDS.has(kind) && !propertiesOf(value).has('aquasecurity:trivy:Class');
}

function isImageUrl(purl: string): boolean {
  return /^pkg:(?:oci|docker)\//i.test(purl);
}

function isOurs(metadata: JsonValue): boolean {
  // Until 1.4 tools were a list; ours never are.
  const tools = metadata.get('tools');
  if (tools.isAbsent || tools.isList) return false;
  const named = tools
    .get('components')
    .optional((value) => value.list(MAX_TOOLS, (tool) => textIn(tool, 'name')));
  return named?.includes(TOOL) ?? false;
}

function subjectOf(subject: JsonValue) {
  const properties = propertiesOf(subject);
  const purl = textIn(subject, 'purl');
  const said = [
    textIn(subject, 'version'),
    purl,
    textIn(subject, 'bom-ref'),
    properties.get('aquasecurity:trivy:RepoDigest'),
  ];
  const imageId = digestIn(properties.get('aquasecurity:trivy:ImageID'));
  return {
    name: textIn(subject, 'name'),
    purl,
    imageId,
    digests: said.flatMap((text) => digestIn(text) ?? []),
  };
}

function systemOf({ value }: Found): OsRelease | undefined {
  const id = textIn(value, 'name');
  if (id === undefined || !isPackageText(id)) return undefined;
  const optional = (key: string) =>
    value.get(key).optional((text) => text.text(isPackageText, 'a short text'));
  return { id, versionId: optional('version'), prettyName: optional('description') };
}

function toComponent(value: JsonValue): Component {
  const properties = propertiesOf(value);
  const name = value.get('name').text(isPackageText, 'a short, printable text');
  const group = value.get('group').optional((text) => text.text(isText, 'a text'));
  const kind = properties.get('syft:package:type') ?? properties.get('aquasecurity:trivy:PkgType');
  return {
    where: value.where,
    name: group ? `${group}${group.startsWith('@') ? '/' : ':'}${name}` : name,
    version: textIn(value, 'version'),
    purl: textIn(value, 'purl'),
    kind,
    source: sourceOf(properties),
    places: placesOf(value, properties),
  };
}

/** Trivy tells source packages, and the parts of their versions, in properties. */
function sourceOf(properties: ReadonlyMap<string, string>): Component['source'] {
  const part = (name: string): string | undefined => properties.get(`aquasecurity:trivy:Src${name}`);
  const [name, version, release, epoch] = [part('Name'), part('Version'), part('Release'), part('Epoch')];
  if (name === undefined || version === undefined) return undefined;
  const whole = release === undefined ? version : `${version}-${release}`;
  return { name, version: epoch === undefined || epoch === '0' ? whole : `${epoch}:${whole}` };
}

function placesOf(value: JsonValue, properties: ReadonlyMap<string, string>): Place[] {
  const evidence = value.get('evidence').optional((each) => each);
  const occurrences = evidence
    ?.get('occurrences')
    .optional((each) =>
      each.list(MAX_PLACES, (place) =>
        placeOf(place.get('location').text(isText, 'a text'), textIn(place, 'additionalContext')),
      ),
    );
  const places = [...(occurrences ?? [])];
  for (let index = 0; index < MAX_PLACES; index++) {
    const path = properties.get(`syft:location:${index}:path`);
    if (path === undefined) break;
    places.push(placeOf(path, properties.get(`syft:location:${index}:layerID`)));
  }
  const file = properties.get('aquasecurity:trivy:FilePath');
  if (file !== undefined) places.push(placeOf(file, properties.get('aquasecurity:trivy:LayerDiffID')));
  return places;
}

/** Of those with the same name the first. */
function propertiesOf(value: JsonValue): ReadonlyMap<string, string> {
  const pairs = value
    .get('properties')
    .optional((list) =>
      list.list(MAX_PROPERTIES, (each): [string, string] => [
        textIn(each, 'name') ?? '',
        textIn(each, 'value') ?? '',
      ]),
    );
  return new Map((pairs ?? []).filter(([, text]) => text !== '').reverse());
}
