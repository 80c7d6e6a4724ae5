import { Client } from 'pg';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type Postgres, type PostgresVersion, startPostgres } from '../harness/postgres.ts';

async function query(url: string, sql: string): Promise<readonly unknown[]> {
  const client = new Client({ connectionString: url });
  await client.connect();
  try {
    return (await client.query(sql)).rows;
  } finally {
    await client.end();
  }
}

describe.each<PostgresVersion>(['18', '15'])('PostgreSQL %s', (version) => {
  let postgres: Postgres;

  beforeAll(async () => {
    postgres = await startPostgres({ version });
  });

  afterAll(() => postgres[Symbol.asyncDispose]());

  it('is the version that was asked for', async () => {
    const { url } = await postgres.createDatabase();
    expect(await query(url, 'SHOW server_version')).toMatchObject([
      { server_version: expect.stringMatching(`^${version}\\.`) },
    ]);
  });

  it('copies a template, so that each test has a database of its own', async () => {
    const template = await postgres.createDatabase();
    await query(template.url, 'CREATE TABLE layers (id text); INSERT INTO layers VALUES ($$first$$)');
    const [one, other] = [await postgres.createDatabase(template), await postgres.createDatabase(template)];
    await query(one.url, 'DELETE FROM layers');
    expect(await query(one.url, 'SELECT * FROM layers')).toEqual([]);
    expect(await query(other.url, 'SELECT * FROM layers')).toEqual([{ id: 'first' }]);
  });
});

it('ends the sessions that a test left open, and its files are gone', async () => {
  const postgres = await startPostgres();
  const { url } = await postgres.createDatabase();
  const forgotten = new Client({ connectionString: url });
  const ended = new Promise((resolve) => forgotten.on('error', resolve));
  await forgotten.connect();
  await postgres[Symbol.asyncDispose]();
  await ended;
  await expect(query(url, 'SELECT 1')).rejects.toThrow('ENOENT');
});
