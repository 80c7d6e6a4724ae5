import { createHash } from 'node:crypto';
import { readdir, readFile } from 'node:fs/promises';
import type { Log } from '@gatehouse/lib/log.ts';
import { CoreError } from '../errors.ts';
import type { Database, Sql } from './database.ts';

const migrationsFolder = new URL('../migrations/', import.meta.url);
const OLDEST_POSTGRES = 150_000;
/** Any number will do, as long as it is always the same one: replicas that start together migrate one after another. */
const MIGRATION_LOCK = 7_415_922;

interface Migration {
  readonly number: number;
  readonly name: string;
  readonly text: string;
  /** Of its text. */
  readonly sha256: string;
}

/**
 * Brings the schema up to this release, each migration in a transaction of its own, once.
 * Throws CoreError `schema_too_new` if a newer release was here before, `schema_differs` if a migration was edited after
 * the store went through it, and `schema_too_old` for an old PostgreSQL.
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
           (number integer primary key, name text not null, applied_at timestamptz not null default now(),
            sha256 text not null default '')`,
      );
      // Of a store that was made before texts were compared, nobody knows which.
      await sql.query(
        `alter table gatehouse.migrations add column if not exists sha256 text not null default ''`,
      );
      const applied = await sql.query<AppliedMigration>(
        'select number, name, sha256 from gatehouse.migrations order by number',
      );
      const current = applied.at(-1)?.number ?? 0;
      if (current > newest) {
        throw new CoreError(
          'schema_too_new',
          `the schema is at migration ${current}, this release knows ${newest}`,
          {
            hint: 'Run the newer release, or restore the store from before its migration.',
          },
        );
      }
      refuseDifferent(applied, migrations);
      const next = migrations.find((migration) => migration.number > current);
      if (!next) return true;
      await apply(sql, next);
      log.info({ migration: next.name }, 'schema migrated');
      return false;
    });
  }
}

type AppliedMigration = Omit<Migration, 'text'>;

function refuseDifferent(applied: readonly AppliedMigration[], migrations: readonly Migration[]): void {
  const texts = new Map(migrations.map(({ number, sha256 }) => [number, sha256]));
  const different = applied.find(({ number, sha256 }) => texts.get(number) !== sha256);
  if (!different) return;
  throw new CoreError(
    'schema_differs',
    `the store was migrated by another ${different.name} than this build has`,
    {
      hint: 'Use the build that made the store, or a new store: agents bring its images again within minutes.',
    },
  );
}

async function apply(sql: Sql, { number, name, text, sha256 }: Migration): Promise<void> {
  await sql.query(text);
  await sql.query('insert into gatehouse.migrations (number, name, sha256) values ($1, $2, $3)', [
    number,
    name,
    sha256,
  ]);
}

async function listMigrations(): Promise<Migration[]> {
  const names = (await readdir(migrationsFolder)).filter((name) => /^\d{4}-.*\.sql$/.test(name));
  return Promise.all(
    names.sort().map(async (name) => {
      const text = await readFile(new URL(name, migrationsFolder), 'utf8');
      const sha256 = createHash('sha256').update(text).digest('hex');
      return { number: Number(name.slice(0, 4)), name, text, sha256 };
    }),
  );
}
