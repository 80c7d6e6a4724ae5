import { writeFile } from 'node:fs/promises';
import { noLog } from '@gatehouse/lib/log.ts';
import { Database } from '../../core/datastore/database.ts';
import { describeSchema } from '../../core/datastore/describe-schema.ts';
import { migrate } from '../../core/datastore/migrate.ts';
import { startPostgres } from '../../test/harness/postgres.ts';

/** What all migrations together make of an empty database. */
export async function databaseSchema(_root: string, to: string): Promise<void> {
  await using postgres = await startPostgres();
  await using database = new Database({ connectionString: (await postgres.createDatabase()).url }, noLog);
  await migrate(database, noLog);
  await writeFile(to, await describeSchema(database));
}
