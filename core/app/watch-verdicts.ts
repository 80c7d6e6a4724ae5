import { storeState, type VerdictRow, verdictsAfter } from '../datastore/verdicts.ts';
import type { App } from './app.ts';

/** Rows are read so many at a time; one with twenty findings has some 5 KB as JSON. */
const BATCH = 250;
/**
 * Batches are cut to this, since whoever gets them takes 4 MiB: images may have up to 128 names, and findings names as
 * long as their authors like, within the bounds of what is stored.
 */
const BATCH_CHARACTERS = 512 * 1024;
/** Watchers count on hearing from the core this often, so that they know their verdicts to be current. */
const HEARTBEAT_MS = 10_000;

/** What a watcher is told at a time. */
export interface VerdictBatch {
  readonly store: string;
  readonly changes: readonly VerdictRow[];
  /** Everything up to here has been told. */
  readonly revision: number;
  /** Nothing newer was there. */
  readonly caughtUp: boolean;
}

/** All verdicts after a position, then each new one as it comes, until the signal aborts. */
export async function* watchVerdicts(
  app: App,
  position: { store: string; revision: number },
  signal: AbortSignal,
): AsyncGenerator<VerdictBatch, void, undefined> {
  const { id: store, revision: newest } = await storeState(app.database);
  // A store that was restored from a backup may be behind its watchers; they must hear of what is true now.
  const isContinued = position.store === store && position.revision <= newest;
  if (!isContinued && position.store === store) {
    yield { store: '', changes: [], revision: 0, caughtUp: false };
  }
  let revision = isContinued ? position.revision : 0;
  while (!signal.aborted) {
    const ring = app.bell.next(HEARTBEAT_MS, signal);
    const changes = await verdictsAfter(app.database, revision, BATCH);
    const isLast = changes.length < BATCH;
    const parts = cut(changes);
    for (const [index, part] of parts.entries()) {
      revision = part.at(-1)?.revision ?? revision;
      yield { store, changes: part, revision, caughtUp: isLast && index === parts.length - 1 };
    }
    if (isLast) await ring;
  }
}

/** Rows in pieces of a bounded size, in their order; one piece of none if there are none. */
function cut(rows: readonly VerdictRow[]): readonly (readonly VerdictRow[])[] {
  const parts: VerdictRow[][] = [[]];
  let characters = 0;
  for (const row of rows) {
    const size = JSON.stringify(row).length;
    if (characters > 0 && characters + size > BATCH_CHARACTERS) {
      parts.push([]);
      characters = 0;
    }
    parts.at(-1)?.push(row);
    characters += size;
  }
  return parts;
}
