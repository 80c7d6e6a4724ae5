import { readdir, readFile } from 'node:fs/promises';
import type { Log } from '@gatehouse/lib/log.ts';
import { CoreError } from '../errors.ts';
import type { Database } from './database.ts';

const migrationsFolder = new URL('../migrations/', import.meta.url);
const OLDEST_POSTGRES = 150_000;
/** Any number will do, as long as it is always the same one: replicas that start together migrate one after another. */
const MIGRATION_LOCK = 7_415_922;

interface Migration {
  readonly number: number;
  readonly name: string;
}

/**
 * Brings the schema up to this release, each migration in a transaction of its own, once.
 * Throws CoreError `schema_too_new` if a newer release was here before, and `schema_too_old` for an old PostgreSQL.
 */
export async function migrate(database: Database, log: Log): Promise<void> {
  const [server] = await database.query<{ version: number }>(
    `select current_setting('server_version_num')::int as version`,
  );
  if ((server?.version ?? 0) < OLDEST_POSTGRES) {
    throw new CoreError('schema_too_old', `PostgreSQL ${server?.version} is older than 15`);
  }
  const migrations = await listMigrations();
  const newest = migrations.at(-1)?.number ?? 0;
  for (let done = false; !done; ) {
    done = await database.transaction(async (sql) => {
      await sql.query('select pg_advisory_xact_lock($1)', [MIGRATION_LOCK]);
      await sql.query('create schema if not exists gatehouse');
      await sql.query(
        `create table if not exists gatehouse.migrations
           (number integer primary key, name text not null, applied_at timestamptz not null default now())`,
      );
      const [applied] = await sql.query<{ number: number }>(
        'select coalesce(max(number), 0) as number from gatehouse.migrations',
      );
      const current = applied?.number ?? 0;
      if (current > newest) {
        throw new CoreError(
          'schema_too_new',
          `the schema is at migration ${current}, this release knows ${newest}`,
          {
            hint: 'Run the newer release, or restore the store from before its migration.',
          },
        );
      }
      const next = migrations.find((migration) => migration.number > current);
      if (!next) return true;
      await sql.query(await readFile(new URL(next.name, migrationsFolder), 'utf8'));
      await sql.query('insert into gatehouse.migrations (number, name) values ($1, $2)', [
        next.number,
        next.name,
      ]);
      log.info({ migration: next.name }, 'schema migrated');
      return false;
    });
  }
}

async function listMigrations(): Promise<Migration[]> {
  const names = (await readdir(migrationsFolder)).filter((name) => /^\d{4}-.*\.sql$/.test(name));
  return names.sort().map((name) => ({ number: Number(name.slice(0, 4)), name }));
}
