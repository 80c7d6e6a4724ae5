import { CodedError } from '@gatehouse/lib/errors.ts';
import type { Log } from '@gatehouse/lib/log.ts';
import { type JobWithMetadata, PgBoss, type QueuePolicy } from 'pg-boss';
import type { DatabaseLogin, Sql } from '../datastore/database.ts';

/** Jobs carry ids only: they read the state of things when they run, and may run twice. */
export interface JobData {
  /** Folds the layers of an image, as catalogers of one version read them, to its packages. */
  readonly 'compose-image': { readonly image: string; readonly catalogerVersion: string };
  /** Says of an image that could not be composed, however often it was tried, that it failed. */
  readonly 'give-up-image': JobData['compose-image'];
  /** Looks up the advisories of all packages whose key is stale. */
  readonly 'rematch-packages': Record<string, never>;
  /** Renews all verdicts that are stale. */
  readonly 'judge-images': Record<string, never>;
  /** Imports what has changed in the feeds. */
  readonly 'import-feeds': Record<string, never>;
}
export type JobName = keyof JobData;

interface JobSettings {
  /**
   * `short`: one waits at a time (for each image, where the job has one), any number run. `stately`: one waits and one
   * runs: what is asked for while an import runs is done once more after it. `standard`: any number wait.
   */
  readonly policy: QueuePolicy;
  /** A job that takes longer than this hangs: it is given up and run again. */
  readonly expireInSeconds: number;
  readonly retryLimit: number;
  /** What is done with the same data once it has failed for the last time, be it by an error, its time, or its worker's end. */
  readonly deadLetter?: JobName;
}

const settings: Readonly<Record<JobName, JobSettings>> = {
  // Before the one that it comes of.
  'give-up-image': { policy: 'standard', expireInSeconds: 300, retryLimit: 10 },
  'compose-image': { policy: 'short', expireInSeconds: 300, retryLimit: 5, deadLetter: 'give-up-image' },
  'rematch-packages': { policy: 'short', expireInSeconds: 900, retryLimit: 10 },
  'judge-images': { policy: 'short', expireInSeconds: 900, retryLimit: 10 },
  // An hour of tries in all: then the next import is due anyway.
  'import-feeds': { policy: 'stately', expireInSeconds: 3_600, retryLimit: 15 },
};
const names = Object.keys(settings) as JobName[];

const RETRY_DELAY_SECONDS = 2;
const RETRY_DELAY_MOST_SECONDS = 300;
/** Workers are woken by NOTIFY; polling is for tries after a failure, and covers for a notification that was lost. */
const POLL_SECONDS = 10;
/**
 * A worker says twice in this time that it still runs its job. Whose worker falls silent, as with a core that was
 * killed, is found by the next look and run again: so a minute after the last word at most, with the first retry's delay
 * and the poll.
 */
const HEARTBEAT_SECONDS = 30;
const LOOK_FOR_LOST_SECONDS = 15;
/** A look that comes sooner after another one does nothing. Less than the above, lest a tick that is early lose its turn. */
const LOOKS_APART_SECONDS = 10;
/** A day is long enough to see what has failed and why. */
const KEEP_FINISHED_SECONDS = 86_400;
const QUEUE_CONNECTIONS = 4;
/** A job that runs when the end comes has this long to finish, else it is run again elsewhere. */
const STOP_TIMEOUT_MS = 10_000;

/** `failure` is why the job that this one comes of has failed for the last time; undefined for all others. */
type Handler<Data> = (
  data: Data,
  run: { readonly signal: AbortSignal; readonly failure: string | undefined },
) => Promise<void>;

/** An error as it was thrown, or what pg-boss says of a job whose time was up or whose worker fell silent. */
function failureOf({ sourceName, sourceOutput }: JobWithMetadata): string | undefined {
  if (sourceName === null) return undefined;
  const output = sourceOutput as { message?: string; value?: { message?: string } } | null;
  return output?.message ?? output?.value?.message ?? 'of an unknown cause';
}

/** The work that waits, in PostgreSQL. */
export class Jobs implements AsyncDisposable {
  readonly #boss: PgBoss;
  readonly #log: Log;

  private constructor(boss: PgBoss, log: Log) {
    this.#boss = boss;
    this.#log = log;
  }

  static async start(login: DatabaseLogin, log: Log): Promise<Jobs> {
    const boss = new PgBoss({
      ...login,
      application_name: 'gatehouse-jobs',
      schema: 'gatehouse_jobs',
      max: QUEUE_CONNECTIONS,
      useListenNotify: true,
      schedule: false,
      superviseIntervalSeconds: LOOK_FOR_LOST_SECONDS,
      monitorIntervalSeconds: LOOKS_APART_SECONDS,
    });
    boss.on('error', (err) => log.error({ err }, 'queue'));
    await boss.start();
    for (const name of names) {
      const { policy, ...limits } = settings[name];
      const options = {
        ...limits,
        notify: true,
        retryBackoff: true,
        retryDelay: RETRY_DELAY_SECONDS,
        retryDelayMax: RETRY_DELAY_MOST_SECONDS,
        deleteAfterSeconds: KEEP_FINISHED_SECONDS,
        heartbeatSeconds: HEARTBEAT_SECONDS,
      };
      await boss.createQueue(name, { policy, ...options });
      // A queue of an earlier release stays as that made it.
      await boss.updateQueue(name, options);
    }
    await boss.supervise();
    return new Jobs(boss, log);
  }

  /**
   * Adds a job in the caller's transaction, unless the same one waits already. That one may be taken up before the
   * transaction is committed, and would not see what it has done; so the job is asked for once more after it.
   */
  async send<Name extends JobName>(sql: Sql, name: Name, data: JobData[Name]): Promise<void> {
    const executeSql = async (text: string, values: unknown[] = []) => ({
      rows: await sql.query(text, values),
    });
    const singletonKey = Object.values(data).join();
    const id = await this.#boss.send(name, data, { db: { executeSql }, singletonKey });
    if (id !== null) return;
    sql.afterCommit?.(async () => {
      await this.#boss
        .send(name, data, { singletonKey })
        .catch((err: unknown) => this.#log.error({ err, job: name, data }, 'job not asked for'));
    });
  }

  /** Which kinds of jobs run or could run now. */
  async pending(sql: Sql): Promise<readonly JobName[]> {
    const rows = await sql.query<{ name: JobName }>(
      `select distinct name from gatehouse_jobs.job
       where state in ('created', 'retry', 'active') and (state = 'active' or start_after <= now())
         and name = any ($1) order by name`,
      [names],
    );
    return rows.map(({ name }) => name);
  }

  /** Runs jobs as they come, `concurrency` of each kind at a time in this process. */
  async work(
    handlers: { readonly [Name in JobName]: Handler<JobData[Name]> },
    concurrency: number,
  ): Promise<void> {
    for (const name of names) {
      const handle = handlers[name] as Handler<object>;
      for (let worker = 0; worker < concurrency; worker++) await this.#startWorker(name, handle);
    }
  }

  /** One job at a time. Of its own, for only the first of workers that pg-boss starts together can be called by its id. */
  async #startWorker(name: JobName, handle: Handler<object>): Promise<void> {
    const id: string = await this.#boss.work(
      name,
      {
        pollingIntervalSeconds: POLL_SECONDS,
        notifyPollingIntervalSeconds: POLL_SECONDS,
        includeMetadata: true,
      },
      async ([job]: JobWithMetadata[]) => {
        if (!job) return;
        // Notifications are one for many jobs, or came while this one ran: so on to the next until there is none.
        this.#boss.notifyWorker(id);
        try {
          await handle(job.data, { signal: job.signal, failure: failureOf(job) });
        } catch (err) {
          const failure = { err, job: name, ...job.data, attempt: job.retryCount + 1 };
          if (err instanceof CodedError) this.#log.warn(failure, 'job failed');
          else this.#log.error(failure, 'job failed');
          throw err;
        }
      },
    );
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#boss.stop({ graceful: true, timeout: STOP_TIMEOUT_MS });
  }
}
