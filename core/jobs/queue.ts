import { CodedError } from '@gatehouse/lib/errors.ts';
import type { Log } from '@gatehouse/lib/log.ts';
import { type Job, PgBoss, type QueuePolicy } from 'pg-boss';
import type { DatabaseLogin, Sql } from '../datastore/database.ts';

/** Jobs carry ids only: they read the state of things when they run, and may run twice. */
export interface JobData {
  /** Folds the layers of an image, as catalogers of one version read them, to its packages. */
  readonly 'compose-image': { readonly image: string; readonly catalogerVersion: string };
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
   * runs: what is asked for while an import runs is done once more after it.
   */
  readonly policy: QueuePolicy;
  /** After this many seconds a job counts as lost and is run again. */
  readonly expireInSeconds: number;
  readonly retryLimit: number;
}

const settings: Readonly<Record<JobName, JobSettings>> = {
  'compose-image': { policy: 'short', expireInSeconds: 300, retryLimit: 5 },
  'rematch-packages': { policy: 'short', expireInSeconds: 900, retryLimit: 10 },
  'judge-images': { policy: 'short', expireInSeconds: 900, retryLimit: 10 },
  // An hour of tries in all: then the next import is due anyway.
  'import-feeds': { policy: 'stately', expireInSeconds: 3_600, retryLimit: 15 },
};
const names = Object.keys(settings) as JobName[];

const RETRY_DELAY_SECONDS = 2;
const RETRY_DELAY_MOST_SECONDS = 300;
/** Workers are woken by NOTIFY; polling only covers for a notification that was lost. */
const POLL_SECONDS = 10;
/** A day is long enough to see what has failed and why. */
const KEEP_FINISHED_SECONDS = 86_400;
const QUEUE_CONNECTIONS = 4;
/** A job that runs when the end comes has this long to finish, else it is run again elsewhere. */
const STOP_TIMEOUT_MS = 10_000;

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
    });
    boss.on('error', (err) => log.error({ err }, 'queue'));
    await boss.start();
    for (const name of names) {
      await boss.createQueue(name, {
        ...settings[name],
        notify: true,
        retryBackoff: true,
        retryDelay: RETRY_DELAY_SECONDS,
        retryDelayMax: RETRY_DELAY_MOST_SECONDS,
        deleteAfterSeconds: KEEP_FINISHED_SECONDS,
      });
    }
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

  /** How many jobs run or could run now. */
  async pending(sql: Sql): Promise<number> {
    const [row] = await sql.query<{ count: number }>(
      `select count(*) as count from gatehouse_jobs.job
       where state in ('created', 'retry', 'active') and (state = 'active' or start_after <= now())`,
    );
    return row?.count ?? 0;
  }

  /** Runs jobs as they come, `concurrency` of each kind at a time in this process. */
  async work(
    handlers: { readonly [Name in JobName]: (data: JobData[Name], signal: AbortSignal) => Promise<void> },
    concurrency: number,
  ): Promise<void> {
    for (const name of names) {
      const handle = handlers[name] as (data: object, signal: AbortSignal) => Promise<void>;
      await this.#boss.work(
        name,
        {
          pollingIntervalSeconds: POLL_SECONDS,
          notifyPollingIntervalSeconds: POLL_SECONDS,
          localConcurrency: concurrency,
        },
        async ([job]: Job[]) => {
          if (!job) return;
          try {
            await handle(job.data, job.signal);
          } catch (err) {
            const failure = { err, job: name, ...job.data, attempt: job.retryCount + 1 };
            if (err instanceof CodedError) this.#log.warn(failure, 'job failed');
            else this.#log.error(failure, 'job failed');
            throw err;
          }
        },
      );
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#boss.stop({ graceful: true, timeout: STOP_TIMEOUT_MS });
  }
}
