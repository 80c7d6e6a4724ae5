import { parseReference, referenceKey, type Verdict } from '@gatehouse/policies';
import { currentAliases, imagesByAlias } from '../datastore/aliases.ts';
import { findingsOfImages, type ImageFinding } from '../datastore/findings.ts';
import { findImage, type ImageRow, listImages } from '../datastore/images.ts';
import { countPackages } from '../datastore/packages.ts';
import { verdictsOf } from '../datastore/verdicts.ts';
import { CoreError } from '../errors.ts';
import type { App } from './app.ts';
import { worstFirst } from './verdict-of.ts';

/** An image with what is thought of it. */
export type ImageSummary = Pick<ImageRow, 'digest' | 'platform' | 'state' | 'reason' | 'source'> & {
  readonly aliases: readonly string[];
  readonly verdict: Verdict | null;
};

/** A page of images in the order of their digests. */
export async function images(app: App, page: { after: string; limit: number }): Promise<ImageSummary[]> {
  return summaries(app, await listImages(app.database, page));
}

/** An image by any of its names, with all its findings. Throws CoreError `not_found` or `invalid_request`. */
export async function imageByName(
  app: App,
  name: string,
): Promise<ImageSummary & { packages: number; findings: readonly ImageFinding[] }> {
  const reference = parseReference(name);
  if (!reference) throw new CoreError('invalid_request', `'${name}' is not a name of an image`);
  const key = referenceKey(reference);
  const image =
    (await findImage(app.database, key)) ??
    (await findImage(app.database, (await imagesByAlias(app.database, key))[0] ?? ''));
  if (!image) throw new CoreError('not_found', `no node has reported an image ${name}`);
  const [summary] = await summaries(app, [image]);
  if (!summary) throw new CoreError('not_found', `image ${name} is gone`);
  const findings = await findingsOfImages(app.database, [image.digest]);
  return {
    ...summary,
    packages: await countPackages(app.database, image.digest),
    findings: findings.sort(worstFirst),
  };
}

async function summaries(app: App, rows: readonly ImageRow[]): Promise<ImageSummary[]> {
  const digests = rows.map((image) => image.digest);
  const aliases = await currentAliases(app.database, digests);
  const verdicts = new Map((await verdictsOf(app.database, digests)).map((row) => [row.image, row.verdict]));
  return rows.map(({ digest, platform, state, reason, source }) => ({
    digest,
    platform,
    state,
    reason,
    source,
    aliases: aliases.get(digest) ?? [],
    verdict: verdicts.get(digest) ?? null,
  }));
}
