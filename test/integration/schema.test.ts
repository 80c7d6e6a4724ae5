import { readFile } from 'node:fs/promises';
import { noLog } from '@gatehouse/lib/log.ts';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { Database } from '../../core/datastore/database.ts';
import { describeSchema } from '../../core/datastore/describe-schema.ts';
import { migrate } from '../../core/datastore/migrate.ts';
import { type Postgres, type PostgresVersion, startPostgres } from '../harness/postgres.ts';

describe.each<PostgresVersion>(['18', '15'])('the schema on PostgreSQL %s', (version) => {
  let postgres: Postgres;

  beforeAll(async () => {
    postgres = await startPostgres({ version });
  });
  afterAll(() => postgres?.[Symbol.asyncDispose]());

  async function open(): Promise<Database> {
    return new Database({ connectionString: (await postgres.createDatabase()).url }, noLog);
  }

  it('that the migrations make is the committed one', async () => {
    await using database = await open();
    await migrate(database, noLog);
    const committed = await readFile(new URL('../../core/schema.sql', import.meta.url), 'utf8');
    expect(await describeSchema(database)).toBe(committed);
  });

  it('is made once by replicas that start together', async () => {
    await using database = await open();
    await Promise.all([migrate(database, noLog), migrate(database, noLog), migrate(database, noLog)]);
    const [row] = await database.query<{ count: number }>('select count(*) from gatehouse.migrations');
    const [store] = await database.query<{ count: number }>('select count(*) from gatehouse.store');
    expect(row?.count).toBeGreaterThan(0);
    expect(store?.count).toBe(1);
  });

  it('of a newer release is left alone', async () => {
    await using database = await open();
    await migrate(database, noLog);
    await database.query(`insert into gatehouse.migrations (number, name) values (9999, 'from the future')`);
    await expect(migrate(database, noLog)).rejects.toMatchObject({ code: 'schema_too_new' });
  });

  it.each(['0', ''])(
    'that came of a migration that reads differently now is refused (%j)',
    async (sha256) => {
      await using database = await open();
      await migrate(database, noLog);
      await migrate(database, noLog);
      await database.query('update gatehouse.migrations set sha256 = $1', [sha256]);
      await expect(migrate(database, noLog)).rejects.toMatchObject({
        code: 'schema_differs',
        message: expect.stringContaining('0001-layers-to-verdicts.sql'),
      });
    },
  );
});
