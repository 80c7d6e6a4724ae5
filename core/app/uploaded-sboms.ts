import { createHash } from 'node:crypto';
import { explain } from '@gatehouse/lib/errors.ts';
import { CATALOGER_VERSION, readSbomDocument, type SbomDocument, SbomError } from '@gatehouse/sbom';
import { imagesByAlias } from '../datastore/aliases.ts';
import type { Sql } from '../datastore/database.ts';
import { deleteImages, findImage, type ImageRow, insertImage } from '../datastore/images.ts';
import { markVerdicts } from '../datastore/stale.ts';
import { insertUploadedSbom, oldestUploadedOnly, uploadedSbom } from '../datastore/uploaded-sboms.ts';
import { CoreError } from '../errors.ts';
import type { App } from './app.ts';
import { digest as parseDigest } from './names.ts';

/** Images that no node has: only who uploads decides how many there are. Beyond these the oldest are forgotten. */
const MAX_UPLOADED_ONLY = 10_000;

/** What became of an upload. */
export interface SbomUpload {
  /** The image that it counts for, which may be called by another digest than was asked for. */
  readonly image: string;
  readonly format: SbomDocument['format'];
  readonly specVersion: string;
  readonly packages: number;
  /** What of it may be a package but cannot be told, or not be judged. */
  readonly leftOut: readonly string[];
  /** False if it is the one that was there already. */
  readonly changed: boolean;
}

/**
 * Keeps an SBOM for an image, in the place of any other that was uploaded. What it says counts while no node has read
 * the image: see `composeImage`.
 */
export async function uploadSbom(
  app: App,
  by: string,
  upload: { image: string; document: Buffer },
): Promise<SbomUpload> {
  const named = parseDigest('image', upload.image);
  const document = parseSbom(upload.document);
  const { format, specVersion } = document;
  const digest = `sha256:${createHash('sha256').update(upload.document).digest('hex')}`;
  const { image, changed } = await app.database.transaction(async (sql) => {
    const image = await imageOf(sql, named, document);
    const before = await uploadedSbom(sql, image.digest);
    if (before?.digest === digest) return { image, changed: false };
    const sbom = { format, specVersion, digest, document: upload.document, uploadedBy: by };
    await insertUploadedSbom(sql, image.digest, sbom);
    const catalogerVersion = image.composedBy ?? CATALOGER_VERSION;
    await app.jobs.send(sql, 'compose-image', { image: image.digest, catalogerVersion });
    return { image, changed: true };
  });
  if (changed) app.log.info({ image: image.digest, by, digest, format }, 'SBOM uploaded');
  const { packages, problems } = document.contents;
  return {
    image: image.digest,
    format,
    specVersion,
    packages: packages.length,
    leftOut: problems.map(({ path, message }) => `${path}: ${message}`),
    changed,
  };
}

/** What an uploaded SBOM says of an image; undefined if there is none. */
export async function uploadedContents(
  sql: Sql,
  image: string,
): Promise<(SbomDocument & { readonly reason: string }) | undefined> {
  const found = await uploadedSbom(sql, image);
  if (!found) return undefined;
  const { uploadedBy, uploadedAt } = found;
  return {
    ...readSbomDocument(found.document),
    reason: `no node has read its layers; this is by an SBOM that ${uploadedBy} uploaded at ${uploadedAt.toISOString()}`,
  };
}

function parseSbom(bytes: Buffer): SbomDocument {
  let document: SbomDocument;
  try {
    document = readSbomDocument(bytes);
  } catch (cause) {
    if (!(cause instanceof SbomError)) throw cause;
    throw new CoreError('sbom_invalid', explain(cause));
  }
  if (document.contents.packages.length > 0) return document;
  throw new CoreError('sbom_invalid', 'the SBOM names no package', {
    hint: 'Have it made of the image, not of a folder of sources; each package needs a package URL.',
  });
}

/** The image that a digest names, made known if nobody knows it; it is locked. */
async function imageOf(sql: Sql, named: string, document: SbomDocument): Promise<ImageRow> {
  const known = await knownImage(sql, named);
  // Of an image that nobody knows, or that is known by uploads alone, the document may say which digest is that of its
  // configuration. Whoever may upload may put that in the place of what was uploaded; a node may not.
  const { imageId, digests } = document;
  const isSaid = imageId !== undefined && imageId !== named && digests.includes(named);
  const isUploadedOnly = known === named && isSaid && (await isKnownByUploads(sql, named));
  if (isUploadedOnly) {
    await markVerdicts(sql, [named]);
    await deleteImages(sql, [named]);
  }
  const digest = (isUploadedOnly ? undefined : known) ?? (isSaid ? imageId : named);
  await mustBeAbout(sql, { digest, named }, document);
  const image = await findImage(sql, digest, { lock: true });
  if (image) return image;
  const surplus = await oldestUploadedOnly(sql, { beyond: MAX_UPLOADED_ONLY - 1 });
  await markVerdicts(sql, surplus);
  await deleteImages(sql, surplus);
  return insertImage(sql, { digest, platform: '', diffIds: [], proven: false });
}

async function isKnownByUploads(sql: Sql, digest: string): Promise<boolean> {
  const image = await findImage(sql, digest, { lock: true });
  return image?.source === 'upload' && !image.proven && image.diffIds.length === 0;
}

async function knownImage(sql: Sql, named: string): Promise<string | undefined> {
  if (await findImage(sql, named)) return named;
  const [image, ...others] = await imagesByAlias(sql, named).then((images) => [...new Set(images)]);
  if (others.length === 0) return image;
  throw new CoreError('invalid_request', `${named} names several images: ${[image, ...others].join(', ')}`, {
    hint: 'It is an index; give the digest of the one that the SBOM is about.',
  });
}

/** An SBOM of another image would make this one look like that. What it calls an unknown name, may be any. */
async function mustBeAbout(
  sql: Sql,
  { digest, named }: { digest: string; named: string },
  { imageId, digests }: SbomDocument,
): Promise<void> {
  const owners = await Promise.all(
    digests.map(async (each) => ((await findImage(sql, each)) ? [each] : imagesByAlias(sql, each))),
  );
  const isOfThis =
    imageId === digest ||
    digests.some((each) => each === digest || each === named) ||
    owners.flat().includes(digest);
  const other =
    imageId !== undefined && imageId !== digest ? imageId : isOfThis ? undefined : owners.flat()[0];
  if (other === undefined) return;
  throw new CoreError('sbom_of_another_image', `the SBOM is about the image ${other}, not about ${digest}`, {
    hint: 'Upload it for that image, or have one made of this.',
  });
}
