import { AdvisoryError } from '../errors.ts';
import { folderSource } from './folder-source.ts';
import { type KnownExploited, readKev } from './kev.ts';
import { FeedReading } from './reading.ts';
import type { FeedSource } from './source.ts';
import { urlSource } from './url-source.ts';

/** A place with feeds: a folder per ecosystem with its `all.zip`, and `kev.json`. */
export interface Feeds {
  /** One for each ecosystem that can be matched and has, or may have, a feed here. */
  readonly ecosystems: readonly EcosystemFeed[];
  readonly knownExploited: Feed<Fingerprinted & KnownExploited>;
}

/**
 * A feed is only read if it has changed. `open` answers `unchanged` while its fingerprint is still the `known` one, at
 * the price of a look at the file or of one conditional request, and `absent` if the place does not have it.
 * Throws `feed_unreachable`, `feed_damaged` or `feed_too_large`.
 */
export interface Feed<Content> {
  open(known?: string, signal?: AbortSignal): Promise<Content | 'unchanged' | 'absent'>;
}

export interface EcosystemFeed extends Feed<OpenFeed> {
  /** Without a release: the feed `Debian` holds the advisories of `Debian:12`. */
  readonly ecosystem: string;
}

interface Fingerprinted {
  /** What to give to `open` the next time. Means nothing to another place. */
  readonly fingerprint: string;
}

/** The records of an ecosystem; a feed from a server lies in a file without a name until it is disposed of. */
export interface OpenFeed extends Fingerprinted, AsyncDisposable {
  readonly ecosystem: string;
  /** Begins a pass over all records. */
  records(): FeedReading;
}

/** Opens a feeds folder, or an http or https URL with the same layout. Throws `feeds_not_found`. */
export async function openFeeds(location: string): Promise<Feeds> {
  const source = await sourceOf(location);
  return {
    ecosystems: source.ecosystems.map((ecosystem) => ecosystemFeed(source, ecosystem)),
    knownExploited: {
      async open(known, signal) {
        const opened = await source.open('kev.json', known, signal);
        if (typeof opened === 'string') return opened;
        await using file = opened;
        return { fingerprint: file.fingerprint, ...(await readKev(file)) };
      },
    },
  };
}

async function sourceOf(location: string): Promise<FeedSource> {
  if (!/^[a-z][a-z0-9+.-]*:\/\//i.test(location)) return folderSource(location);
  const url = URL.parse(location);
  if (url === null || !['http:', 'https:'].includes(url.protocol)) {
    throw notAPlace(`'${location}' is not a place that feeds can be read from`);
  }
  // Not repeated in the message, which ends up in logs.
  if (url.username !== '' || url.password !== '') throw notAPlace('the URL of the feeds carries a password');
  return urlSource(url);
}

function notAPlace(message: string): AdvisoryError {
  return new AdvisoryError('feeds_not_found', message, {
    hint: 'Give a folder, or an http or https URL without user and password.',
  });
}

function ecosystemFeed(source: FeedSource, ecosystem: string): EcosystemFeed {
  return {
    ecosystem,
    async open(known, signal) {
      const file = await source.open(`${ecosystem}/all.zip`, known, signal);
      if (typeof file === 'string') return file;
      return {
        ecosystem,
        fingerprint: file.fingerprint,
        records: () => new FeedReading(file),
        [Symbol.asyncDispose]: () => file[Symbol.asyncDispose](),
      };
    },
  };
}
