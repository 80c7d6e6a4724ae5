import type { FoundImage } from './found-image.ts';
import type { PatchOperation } from './policy.ts';
import { parseReference } from './reference.ts';

/**
 * Patches that put the digest behind each tag that is known to name one, so that what was judged is what runs:
 * the kubelet resolves a tag later than admission, and perhaps to something else. The tag stays readable.
 */
export function pinTags(images: readonly FoundImage[]): PatchOperation[] {
  return images.flatMap((image) => {
    const reference = parseReference(image.reference);
    if (!reference?.tag || reference.digest) return [];
    const digest = commonDigest(image, reference.repository);
    if (digest === undefined) return [];
    const tagged = image.reference.endsWith(`:${reference.tag}`)
      ? image.reference
      : `${image.reference}:${reference.tag}`;
    return [{ op: 'replace' as const, path: image.pointer, value: `${tagged}@${digest}` }];
  });
}

/**
 * The digest by which the repository offers the image. Where a tag stands for several platforms, it is the one that all
 * of them share: that of the index, for the node is not known yet.
 */
function commonDigest(image: FoundImage, repository: string): string | undefined {
  const offered = image.candidates.map(
    ({ aliases }) =>
      new Set(
        aliases.flatMap((alias) => {
          const reference = parseReference(alias);
          return reference?.repository === repository ? (reference.digest ?? []) : [];
        }),
      ),
  );
  const [first, ...others] = offered;
  if (!first) return undefined;
  return [...first].filter((digest) => others.every((digests) => digests.has(digest))).sort()[0];
}
