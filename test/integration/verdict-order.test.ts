import { setTimeout as delay } from 'node:timers/promises';
import { noLog } from '@gatehouse/lib/log.ts';
import { parseVerdict } from '@gatehouse/policies';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { Database } from '../../core/datastore/database.ts';
import { migrate } from '../../core/datastore/migrate.ts';
import { storeState, verdictsAfter, writeVerdicts } from '../../core/datastore/verdicts.ts';
import { type Postgres, startPostgres } from '../harness/postgres.ts';

const WRITERS = 8;
const ROUNDS = 60;

describe('revisions', () => {
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

  it('become visible in their order, however many replicas write at once', async () => {
    const verdict = parseVerdict({ state: 'ready' });
    const write = async (writer: number): Promise<void> => {
      for (let round = 0; round < ROUNDS; round++) {
        await database.transaction(async (sql) => {
          // Rows of their own, so that each revision is still there to be compared in the end.
          const images = [`sha256:${writer}-${round}-a`, `sha256:${writer}-${round}-b`];
          await writeVerdicts(
            sql,
            images.map((image) => ({ image, aliases: [], verdict })),
          );
          // Commits overtake each other if anything lets them.
          await delay(Math.random() * 3);
        });
      }
    };
    let seen = 0;
    const told: number[] = [];
    let writing = true;
    const read = async (): Promise<void> => {
      for (;;) {
        const wasWriting = writing;
        const rows = await verdictsAfter(database, seen, 50);
        for (const { revision } of rows) {
          told.push(revision);
          seen = revision;
        }
        if (rows.length === 0 && !wasWriting) return;
      }
    };
    const reading = read();
    await Promise.all(Array.from({ length: WRITERS }, (_, writer) => write(writer)));
    writing = false;
    await reading;

    const { revision } = await storeState(database);
    const left = (await verdictsAfter(database, 0, 2 * WRITERS * ROUNDS)).map((row) => row.revision);
    // A revision that came to light after a higher one was read would be missing here.
    expect(told).toEqual(left);
    expect(left.at(-1)).toBe(revision);
    expect(left).toHaveLength(2 * WRITERS * ROUNDS);
  });
});
