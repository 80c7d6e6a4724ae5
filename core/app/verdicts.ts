import { isDeepStrictEqual } from 'node:util';
import type { Verdict } from '@gatehouse/policies';
import { currentAliases } from '../datastore/aliases.ts';
import type { Sql } from '../datastore/database.ts';
import { listFeeds } from '../datastore/feeds.ts';
import { findingsOfImages } from '../datastore/findings.ts';
import { lockImages } from '../datastore/images.ts';
import { imagesToMatch } from '../datastore/packages.ts';
import { takeVerdicts } from '../datastore/stale.ts';
import { forgottenImages, type VerdictRow, verdictsOf, writeVerdicts } from '../datastore/verdicts.ts';
import type { App } from './app.ts';
import { verdictOf } from './verdict-of.ts';

/** Renews all verdicts that are stale, until none is. */
export async function judgeImages(app: App, signal: AbortSignal): Promise<void> {
  while (!signal.aborted && (await judgeBatch(app))) {
    // On to the next batch.
  }
}

/** Works off one batch; false if there was none. */
async function judgeBatch(app: App): Promise<boolean> {
  return app.database.transaction(async (sql) => {
    const stale = await takeVerdicts(sql);
    if (stale.length === 0) return false;
    const images = (await lockImages(sql, stale)).filter((image) => image.state !== 'waiting');
    // Where a package was never matched, or its advisories never came in, that will bring the image here again; until
    // then it has no verdict that could be mistaken for a clean one.
    const unmatched = new Set(await imagesToMatch(sql, stale));
    const judged = images.filter((image) => !unmatched.has(image.digest));
    const digests = judged.map((image) => image.digest);

    const findings = Map.groupBy(await findingsOfImages(sql, digests), ({ image }) => image);
    const aliases = await currentAliases(sql, digests);
    const known = new Map((await verdictsOf(sql, digests)).map((row) => [row.image, row]));
    const feedsAsOf = await oldestFeed(sql);
    const changes = judged
      .map((image) => ({
        image: image.digest,
        aliases: aliases.get(image.digest) ?? [],
        verdict: verdictOf(image, findings.get(image.digest) ?? [], feedsAsOf),
      }))
      .filter((change) => differs(change, known.get(change.image)));
    const gone = await forgottenImages(sql, stale);
    const news = [...changes, ...gone.map((image) => ({ image, aliases: [], verdict: null }))];
    if (news.length > 0) await writeVerdicts(sql, news);
    app.log.debug({ judged: judged.length, changed: news.length }, 'images judged');
    return true;
  });
}

/** A verdict is as current as the oldest of the feeds behind it. */
async function oldestFeed(sql: Sql): Promise<Date | undefined> {
  const dates = (await listFeeds(sql)).flatMap((feed) => feed.asOf ?? []);
  return dates.toSorted((a, b) => a.getTime() - b.getTime())[0];
}

/** When something was looked at last changes all the time and makes no difference by itself. */
function differs(
  change: { aliases: readonly string[]; verdict: Verdict },
  known: VerdictRow | undefined,
): boolean {
  if (!known?.verdict) return true;
  const { revision: _revision, asOf: _asOf, ...before } = known.verdict;
  const { revision: _zero, asOf: _now, ...after } = change.verdict;
  return !isDeepStrictEqual(before, after) || !isDeepStrictEqual([...known.aliases], [...change.aliases]);
}
