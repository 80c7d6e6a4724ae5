import type { ImageContents } from '../image/image-contents.ts';

/** An image, or a folder that is taken for one, with what it holds. */
export interface DescribedImage {
  /** As it was asked for. */
  readonly name: string;
  /** The digest of its configuration; a folder has none. */
  readonly digest: string | undefined;
  /** The layers from the bottom to the top, by diff id; a folder counts as one without a name. */
  readonly diffIds: readonly string[];
  readonly contents: ImageContents;
}

/** What wrote a document. */
export const TOOL = 'gatehouse';
