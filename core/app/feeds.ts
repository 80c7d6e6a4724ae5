import {
  type Advisory,
  compareScores,
  type EcosystemFeed,
  type FeedRecord,
  type Feeds,
  openFeeds,
  severityOf,
} from '@gatehouse/advisories';
import { explain } from '@gatehouse/lib/errors.ts';
import {
  type AdvisoryRecord,
  advisoryHashes,
  deleteAdvisories,
  insertAdvisories,
  keysOfAdvisories,
} from '../datastore/advisories.ts';
import type { Sql } from '../datastore/database.ts';
import {
  awaitFeeds,
  type FeedRow,
  forgetAwaitedFeed,
  listFeeds,
  lockFeed,
  noteFeedCheck,
  noteFeedProblem,
  replaceKnownExploited,
  upsertFeed,
} from '../datastore/feeds.ts';
import { markCves, markKeys } from '../datastore/stale.ts';
import { CoreError } from '../errors.ts';
import type { App } from './app.ts';
import { isCve } from './matching.ts';

/** The name of the feed of known exploited vulnerabilities. */
const KNOWN_EXPLOITED = 'kev';
/** So many advisories are written at a time: enough to be fast, few enough to be small in memory. */
const BATCH = 500;

/**
 * Imports whatever has changed in the feeds at a location, each feed in a transaction of its own. A feed that is broken
 * leaves what was imported before in force, is noted, and does not keep the others away.
 */
export async function importFeeds(app: App, location: string, signal: AbortSignal): Promise<void> {
  const feeds = await openFeeds(location);
  // A fingerprint means nothing to another place, so it is kept with the place that gave it.
  const place = `${location} `;
  const known = new Map(
    (await listFeeds(app.database))
      .filter(({ fingerprint }) => fingerprint.startsWith(place))
      .map(({ name, fingerprint }) => [name, fingerprint.slice(place.length)]),
  );
  await awaitFeeds(
    app.database,
    feeds.ecosystems.map((feed) => feed.ecosystem),
  );
  const failures: string[] = [];
  const attempt = async (name: string, run: () => Promise<void>): Promise<void> => {
    signal.throwIfAborted();
    try {
      await run();
    } catch (error) {
      failures.push(name);
      await noteFeedProblem(app.database, name, explain(error));
      app.log.warn({ err: error, feed: name }, 'feed not imported');
    }
  };
  for (const feed of feeds.ecosystems) {
    await attempt(feed.ecosystem, () =>
      importEcosystem(app, feed, { place, known: known.get(feed.ecosystem), signal }),
    );
  }
  await attempt(KNOWN_EXPLOITED, () =>
    importKnownExploited(app, feeds, { place, known: known.get(KNOWN_EXPLOITED), signal }),
  );
  if (failures.length > 0) {
    throw new CoreError(
      'feeds_unreadable',
      `feeds at ${location} were not all imported: ${failures.join(', ')}`,
    );
  }
}

export function feeds(app: App): Promise<FeedRow[]> {
  return listFeeds(app.database);
}

interface ImportFrom {
  readonly place: string;
  /** The fingerprint of what was imported from there last. */
  readonly known: string | undefined;
  readonly signal: AbortSignal;
}

async function importEcosystem(app: App, feed: EcosystemFeed, from: ImportFrom): Promise<void> {
  const opened = await feed.open(from.known, from.signal);
  if (typeof opened === 'string') return noteUnread(app, feed.ecosystem, from, opened);
  await using open = opened;
  const began = Date.now();
  const name = feed.ecosystem;
  await app.database.transaction(async (sql) => {
    await lockFeed(sql, name);
    const reading = open.records();
    const before = await advisoryHashes(sql, name);
    // The feed's row must be there before its advisories.
    await upsertFeed(sql, { name, fingerprint: '', asOf: null, records: 0, skipped: 0 });
    const change = new FeedChange(sql, name);
    for await (const record of reading) {
      from.signal.throwIfAborted();
      const isKnown = before.get(record.advisory.id) === record.hash;
      before.delete(record.advisory.id);
      if (!isKnown) await change.replace(record);
    }
    await change.finish([...before.keys()]);
    await upsertFeed(sql, {
      name,
      fingerprint: from.place + open.fingerprint,
      asOf: new Date(reading.asOf),
      records: reading.recordCount,
      skipped: reading.skippedCount,
    });
    await app.jobs.send(sql, 'rematch-packages', {});
    for (const err of reading.problems) app.log.warn({ err, feed: name }, 'advisory skipped');
    app.log.info(
      {
        feed: name,
        records: reading.recordCount,
        skipped: reading.skippedCount,
        changed: change.replaced,
        gone: before.size,
        ms: Date.now() - began,
      },
      'feed imported',
    );
  });
}

/** What an import changes, written in batches. What it touches is noted at the end, since others wait for such notes. */
class FeedChange {
  readonly #sql: Sql;
  readonly #feed: string;
  readonly #keys = new Map<string, { ecosystem: string; name: string }>();
  readonly #cves = new Set<string>();
  #batch: AdvisoryRecord[] = [];
  replaced = 0;

  constructor(sql: Sql, feed: string) {
    this.#sql = sql;
    this.#feed = feed;
  }

  async replace({ advisory, hash }: FeedRecord): Promise<void> {
    this.replaced++;
    this.#batch.push({
      advisory,
      contentHash: hash,
      keys: keysOf(advisory, this.#feed),
      scores: scoresOf(advisory),
    });
    if (this.#batch.length >= BATCH) await this.#write();
  }

  /** Writes the rest, takes away what the feed no longer has, and notes what is to be looked at again. */
  async finish(gone: readonly string[]): Promise<void> {
    await this.#write();
    await this.#remove(gone);
    await markKeys(this.#sql, [...this.#keys.values()]);
    await markCves(this.#sql, [...this.#cves]);
  }

  async #write(): Promise<void> {
    const batch = this.#batch;
    this.#batch = [];
    await this.#remove(batch.map(({ advisory }) => advisory.id));
    await insertAdvisories(this.#sql, this.#feed, batch);
    this.#touch(
      batch.flatMap(({ keys }) => keys),
      batch.flatMap(({ scores }) => scores.map(({ cve }) => cve)),
    );
  }

  async #remove(ids: readonly string[]): Promise<void> {
    if (ids.length === 0) return;
    const { keys, cves } = await keysOfAdvisories(this.#sql, this.#feed, ids);
    this.#touch(keys, cves);
    await deleteAdvisories(this.#sql, this.#feed, ids);
  }

  #touch(keys: readonly { ecosystem: string; name: string }[], cves: readonly string[]): void {
    for (const key of keys) this.#keys.set(`${key.ecosystem}\n${key.name}`, key);
    for (const cve of cves) this.#cves.add(cve);
  }
}

/** What an advisory is found by; entries for other ecosystems stand in the feeds of those as well. */
function keysOf(advisory: Advisory, feed: string): AdvisoryRecord['keys'] {
  const own = advisory.affected.filter(
    ({ ecosystem }) => ecosystem === feed || ecosystem.startsWith(`${feed}:`),
  );
  const keys = new Map(own.map(({ ecosystem, name }) => [`${ecosystem}\n${name}`, { ecosystem, name }]));
  return [...keys.values()];
}

/** The worst that an advisory says of each CVE that it is about. */
function scoresOf(advisory: Advisory): AdvisoryRecord['scores'] {
  const [score] = advisory.affected.map((affected) => severityOf(advisory, affected)).sort(compareScores);
  if (!score || score.severity === 'unknown' || advisory.withdrawn !== undefined) return [];
  const upstream = advisory.upstream.length === 1 ? advisory.upstream : [];
  const cves = new Set([advisory.id, ...advisory.aliases, ...upstream].filter(isCve));
  return [...cves].map((cve) => ({ cve, score }));
}

async function importKnownExploited(app: App, feeds: Feeds, from: ImportFrom): Promise<void> {
  const opened = await feeds.knownExploited.open(from.known, from.signal);
  if (typeof opened === 'string') return noteUnread(app, KNOWN_EXPLOITED, from, opened);
  await app.database.transaction(async (sql) => {
    await lockFeed(sql, KNOWN_EXPLOITED);
    const changed = await replaceKnownExploited(sql, [...opened.cves]);
    await markCves(sql, changed);
    await upsertFeed(sql, {
      name: KNOWN_EXPLOITED,
      fingerprint: from.place + opened.fingerprint,
      asOf: new Date(opened.asOf),
      records: opened.cves.size,
      skipped: 0,
    });
    await app.jobs.send(sql, 'rematch-packages', {});
    app.log.info(
      { feed: KNOWN_EXPLOITED, records: opened.cves.size, changed: changed.length },
      'feed imported',
    );
  });
}

async function noteUnread(
  app: App,
  name: string,
  { known }: ImportFrom,
  state: 'unchanged' | 'absent',
): Promise<void> {
  if (state === 'unchanged') return noteFeedCheck(app.database, name);
  if (known !== undefined) {
    const problem = 'the feed is no longer there; the last import stays in force';
    return noteFeedProblem(app.database, name, problem);
  }
  await app.database.transaction(async (sql) => {
    if (!(await forgetAwaitedFeed(sql, name))) return noteFeedCheck(sql, name);
    await app.jobs.send(sql, 'rematch-packages', {});
  });
}

/** Has the feeds imported now, or once more after an import that runs. */
export async function refreshFeeds(app: App): Promise<void> {
  await app.jobs.send(app.database, 'import-feeds', {});
}
