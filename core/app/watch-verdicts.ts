import { storeState, type VerdictRow, verdictsAfter } from '../datastore/verdicts.ts';
import type { App } from './app.ts';

/** A verdict with twenty findings has some 5 KB as JSON, and a gRPC message 4 MiB at most. */
const BATCH = 250;
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
    revision = changes.at(-1)?.revision ?? revision;
    const caughtUp = changes.length < BATCH;
    yield { store, changes, revision, caughtUp };
    if (caughtUp) await ring;
  }
}
