import { noLog } from '@gatehouse/lib/log.ts';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { Database } from '../../core/datastore/database.ts';
import { migrate } from '../../core/datastore/migrate.ts';
import { markVerdicts } from '../../core/datastore/stale.ts';
import { Jobs } from '../../core/jobs/queue.ts';
import { type Postgres, startPostgres } from '../harness/postgres.ts';
import { eventually } from '../harness/wait.ts';

describe('jobs', () => {
  let postgres: Postgres;
  let database: Database;
  let jobs: Jobs;

  beforeAll(async () => {
    postgres = await startPostgres();
    const login = { connectionString: (await postgres.createDatabase()).url };
    database = new Database(login, noLog);
    await migrate(database, noLog);
    jobs = await Jobs.start(login, noLog);
  });

  afterAll(async () => {
    await jobs?.[Symbol.asyncDispose]();
    await database?.[Symbol.asyncDispose]();
    await postgres?.[Symbol.asyncDispose]();
  });

  it('see what they were asked for, even if one that waited was taken up before it was committed', async () => {
    const seen: number[] = [];
    const idle = async (): Promise<void> => undefined;
    const countStale = async (): Promise<void> => {
      seen.push((await database.query('select from gatehouse.stale_verdicts')).length);
    };
    await jobs.send(database, 'judge-images', {});
    await database.transaction(async (sql) => {
      await markVerdicts(sql, ['sha256:1']);
      await jobs.send(sql, 'judge-images', {});
      await jobs.work(
        { 'judge-images': countStale, 'compose-image': idle, 'rematch-packages': idle, 'import-feeds': idle },
        1,
      );
      await eventually(() => expect(seen).toEqual([0]), { what: 'the job that waited to run' });
    });
    await eventually(() => expect(seen.at(-1)).toBe(1), { what: 'the job to run again' });
  });
});
