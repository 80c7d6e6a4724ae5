import { noLog } from '@gatehouse/lib/log.ts';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { Database, type Sql } from '../../core/datastore/database.ts';
import { migrate } from '../../core/datastore/migrate.ts';
import {
  markCves,
  markKeys,
  markVerdicts,
  takeCves,
  takeKeys,
  takeVerdicts,
} from '../../core/datastore/stale.ts';
import { type Postgres, startPostgres } from '../harness/postgres.ts';

describe('what is noted as stale', () => {
  let postgres: Postgres;
  let database: Database;

  beforeAll(async () => {
    postgres = await startPostgres();
    database = new Database({ connectionString: (await postgres.createDatabase()).url }, noLog);
    await migrate(database, noLog);
  });

  afterAll(async () => {
    await database?.[Symbol.asyncDispose]();
    await postgres?.[Symbol.asyncDispose]();
  });

  const key = { ecosystem: 'npm', name: 'minimist' };
  it.each<[string, (sql: Sql) => Promise<void>, (sql: Sql) => Promise<unknown[]>, unknown]>([
    ['keys', (sql) => markKeys(sql, [key, key]), takeKeys, key],
    ['CVEs', (sql) => markCves(sql, ['CVE-1', 'CVE-1']), takeCves, 'CVE-1'],
    ['verdicts', (sql) => markVerdicts(sql, ['sha256:1', 'sha256:1']), takeVerdicts, 'sha256:1'],
  ])('is not taken before whoever notes it again has committed: %s', async (_what, mark, take, noted) => {
    await mark(database);
    await database.transaction(async (sql) => {
      await mark(sql);
      expect(await take(database)).toEqual([]);
    });
    expect(await take(database)).toEqual([noted]);
    expect(await take(database)).toEqual([]);
  });
});
