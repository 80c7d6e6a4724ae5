import type { FileHandle } from 'node:fs/promises';
import { AdvisoryError } from '../errors.ts';

/** Where feeds are kept: a folder, or a server with the same layout. */
export interface FeedSource {
  /** The ecosystems of which there is, or can be, a feed. */
  readonly ecosystems: readonly string[];
  /**
   * The file at `path` below the source, such as `npm/all.zip`. `unchanged` if its fingerprint is still `known`, at the
   * price of one look at the file or one conditional request; `absent` if there is none.
   */
  open(
    path: string,
    known: string | undefined,
    signal?: AbortSignal,
  ): Promise<FeedFile | 'unchanged' | 'absent'>;
}

/** An opened file, which stays the same bytes whatever becomes of its name. */
export interface FeedFile extends AsyncDisposable {
  readonly handle: FileHandle;
  /** For messages: the path or the URL. */
  readonly name: string;
  /** Changes when the file does. Only for comparison with what the same source gave before. */
  readonly fingerprint: string;
  /** When the file was last written, as RFC 3339 in UTC. */
  readonly date: string;
}

/** A feed of 11,000 advisories has 5 MB, so this holds two million; what is larger is no feed. */
export const MAX_FEED_BYTES = 1024 ** 3;

export function tooLarge(feed: string, what: string): AdvisoryError {
  return new AdvisoryError('feed_too_large', `the feed ${feed} has ${what}`, {
    hint: 'Check where it comes from; no advisory database is that large.',
  });
}
