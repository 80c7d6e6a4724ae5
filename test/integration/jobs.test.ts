import { noLog } from '@gatehouse/lib/log.ts';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { Database, type DatabaseLogin } from '../../core/datastore/database.ts';
import { migrate } from '../../core/datastore/migrate.ts';
import { markVerdicts } from '../../core/datastore/stale.ts';
import { Jobs } from '../../core/jobs/queue.ts';
import { type Postgres, startPostgres } from '../harness/postgres.ts';
import { eventually } from '../harness/wait.ts';

describe('jobs', () => {
  let postgres: Postgres;
  let login: DatabaseLogin;
  let database: Database;
  let jobs: Jobs;

  beforeAll(async () => {
    postgres = await startPostgres();
  });

  afterAll(async () => {
    await postgres?.[Symbol.asyncDispose]();
  });

  beforeEach(async () => {
    login = { connectionString: (await postgres.createDatabase()).url };
    database = new Database(login, noLog);
    await migrate(database, noLog);
    jobs = await Jobs.start(login, noLog);
  });

  afterEach(async () => {
    await jobs?.[Symbol.asyncDispose]();
    await database?.[Symbol.asyncDispose]();
  });

  const idle = async (): Promise<void> => undefined;
  const idling = {
    'judge-images': idle,
    'compose-image': idle,
    'give-up-image': idle,
    'rematch-packages': idle,
    'import-feeds': idle,
  };

  it('see what they were asked for, even if one that waited was taken up before it was committed', async () => {
    const seen: number[] = [];
    const countStale = async (): Promise<void> => {
      seen.push((await database.query('select from gatehouse.stale_verdicts')).length);
    };
    await jobs.send(database, 'judge-images', {});
    await database.transaction(async (sql) => {
      await markVerdicts(sql, ['sha256:1']);
      await jobs.send(sql, 'judge-images', {});
      await jobs.work({ ...idling, 'judge-images': countStale }, 1);
      await eventually(() => expect(seen).toEqual([0]), { what: 'the job that waited to run' });
    });
    await eventually(() => expect(seen.at(-1)).toBe(1), { what: 'the job to run again' });
  });

  it('are done one after another, though only one notification speaks of them', async () => {
    const done: string[] = [];
    await jobs.work({ ...idling, 'compose-image': async ({ image }) => void done.push(image) }, 1);
    const images = Array.from({ length: 50 }, (_, n) => `sha256:${n}`);
    await database.transaction(async (sql) => {
      for (const image of images) await jobs.send(sql, 'compose-image', { image, catalogerVersion: '1' });
    });
    // By polls it would take minutes.
    await eventually(() => expect(done.toSorted()).toEqual(images.toSorted()), { what: 'all jobs' });
  });

  it('that have failed for the last time are given up, with the reason', async () => {
    const data = { image: 'sha256:1', catalogerVersion: '1' };
    await jobs.send(database, 'compose-image', data);
    await database.query(`update gatehouse_jobs.job set retry_limit = 0`);
    const given = Promise.withResolvers<unknown>();
    const handlers = {
      ...idling,
      'compose-image': () => Promise.reject(new Error('it is broken')),
      'give-up-image': async (data: object, { failure }: { failure: string | undefined }) =>
        given.resolve({ ...data, failure }),
    };
    await jobs.work(handlers, 1);
    expect(await given.promise).toEqual({ ...data, failure: 'it is broken' });
  });

  it('are given up, too, where those who did them fell silent each time', async () => {
    await jobs.send(database, 'compose-image', { image: 'sha256:1', catalogerVersion: '1' });
    await database.query(
      `update gatehouse_jobs.job set state = 'active', retry_limit = 0, started_on = now() - interval '70 s',
         heartbeat_on = now() - interval '60 s'`,
    );
    const given = Promise.withResolvers<string | undefined>();
    const giveUp = async (_data: object, { failure }: { failure: string | undefined }) =>
      given.resolve(failure);
    await jobs.work({ ...idling, 'give-up-image': giveUp }, 1);
    expect(await given.promise).toContain('heartbeat');
  });

  it('are done again soon if whoever did them has fallen silent', async () => {
    await jobs.send(database, 'import-feeds', {});
    // What a core leaves behind that was killed a minute ago.
    await database.query(
      `update gatehouse_jobs.job set state = 'active', started_on = now() - interval '70 s',
         heartbeat_on = now() - interval '60 s' where name = 'import-feeds'`,
    );
    const imported = Promise.withResolvers<void>();
    await jobs.work({ ...idling, 'import-feeds': async () => imported.resolve() }, 1);
    await jobs.send(database, 'import-feeds', {});
    expect(await jobs.pending(database)).toContain('import-feeds');
    await imported.promise;
  });
});
