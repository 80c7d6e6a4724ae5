import {
  type DescribedImage,
  type ImageContents,
  readSbomDocument,
  type SbomDocument,
  toCycloneDx,
  toSpdx,
} from '@gatehouse/sbom';
import { currentAliases } from '../datastore/aliases.ts';
import type { Sql } from '../datastore/database.ts';
import { findImage, type ImageRow } from '../datastore/images.ts';
import { layersOf } from '../datastore/layers.ts';
import { type UploadedSbom, uploadedSbom } from '../datastore/uploaded-sboms.ts';
import { CoreError } from '../errors.ts';
import type { App } from './app.ts';
import { readContents } from './images.ts';
import { versionsBehind } from './versions.ts';

export const exportFormats = ['cyclonedx', 'spdx', 'original'] as const;

const writers = { cyclonedx: toCycloneDx, spdx: toSpdx };

/** What an image holds, as a document, or the one that was uploaded for it. Throws CoreError `not_found`. */
export async function exportSbom(
  app: App,
  digest: string,
  format: (typeof exportFormats)[number],
): Promise<{ readonly format: SbomDocument['format']; readonly text: string | Buffer }> {
  // One connection for all of it.
  return app.database.transaction((sql) => exportIn(sql, digest, format));
}

async function exportIn(sql: Sql, digest: string, format: (typeof exportFormats)[number]) {
  const image = await findImage(sql, digest);
  const uploaded = image && (await uploadedSbom(sql, digest));
  if (format === 'original') {
    if (uploaded) return { format: uploaded.format, text: uploaded.document };
    throw new CoreError('not_found', `no SBOM was uploaded for ${digest}`, {
      hint: 'Ask for format=cyclonedx or format=spdx to have one made of what nodes have read.',
    });
  }
  const described = image && (await describe(sql, image, uploaded));
  if (described) return { format, text: writers[format](described) };
  throw new CoreError('not_found', `what is in ${digest} is not known`, {
    hint: 'The digest is that of the configuration of the image; /api/v1/image?name=… tells it.',
  });
}

async function describe(
  sql: Sql,
  image: ImageRow,
  uploaded: UploadedSbom | undefined,
): Promise<DescribedImage | undefined> {
  const { digest, source, composedBy } = image;
  const aliases = (await currentAliases(sql, [digest])).get(digest) ?? [];
  const name = aliases.find((alias) => !alias.includes('@')) ?? digest;
  if (source === 'upload' && uploaded) {
    const { contents, diffIds } = readSbomDocument(uploaded.document);
    return { name, digest, diffIds, contents };
  }
  if (source !== 'layers' || composedBy === null) return undefined;
  const layers = await layersOf(sql, image.diffIds, versionsBehind(composedBy));
  const { contents, root, diffIds } = await readContents(sql, image, layers, composedBy);
  return { name, digest, diffIds, contents: root ? withShown(contents, root) : contents };
}

/** What layers hold, and what only a container of the image shows, of which no layer is known. */
function withShown(contents: ImageContents, shown: ImageContents): ImageContents {
  const proven = new Set(contents.packages.map(({ purl }) => purl));
  const more = shown.packages
    .filter(({ purl }) => !proven.has(purl))
    .map((each) => ({
      ...each,
      layer: -1,
      locations: each.locations.map((place) => ({ ...place, layer: -1 })),
    }));
  const packages = [...contents.packages, ...more].sort((a, b) => (a.purl < b.purl ? -1 : 1));
  return { ...contents, os: contents.os ?? shown.os, packages };
}
