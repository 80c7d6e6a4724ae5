import { setTimeout as delay } from 'node:timers/promises';
import { toError } from '@gatehouse/lib/errors.ts';
import type { Log } from '@gatehouse/lib/log.ts';
import pg from 'pg';

/** What it takes to connect. */
export interface DatabaseLogin {
  /** A postgres:// URL. */
  readonly connectionString: string;
  /** TLS settings, where the URL has none; read at each connection. */
  readonly ssl?: pg.ClientConfig['ssl'];
}

/** Something that statements can be sent to: the pool, or a transaction. */
export interface Sql {
  /** The rows of a statement; parameters are $1, $2, .... 64-bit integers come as numbers. */
  query<Row extends object>(text: string, values?: readonly unknown[]): Promise<Row[]>;
  /** Of a transaction only: has something done once it is committed, which must not throw. */
  afterCommit?(action: () => Promise<void>): void;
}

/** More connections do not make PostgreSQL faster; each replica takes a share of the 100 that it allows by default. */
const MAX_CONNECTIONS = 16;
const CONNECT_TIMEOUT_MS = 10_000;
/** A statement that runs for longer is a mistake, and holds locks that others wait for. */
const STATEMENT_TIMEOUT_MS = 120_000;

/** SQLSTATEs after which the same transaction may well succeed: serialization failure and deadlock. */
const RETRYABLE = new Set(['40001', '40P01']);
const MAX_TRANSACTION_ATTEMPTS = 5;

// Counts and revisions stay far below 2^53.
const INT8_OID = 20;
const types: pg.CustomTypesConfig = {
  getTypeParser: (oid, format) =>
    oid === INT8_OID && format !== 'binary' ? Number : pg.types.getTypeParser(oid, format as 'text'),
};

/** The connection pool. */
export class Database implements Sql, AsyncDisposable {
  readonly #pool: pg.Pool;

  constructor(login: DatabaseLogin, log: Log) {
    this.#pool = new pg.Pool({
      ...login,
      application_name: 'gatehouse-core',
      max: MAX_CONNECTIONS,
      connectionTimeoutMillis: CONNECT_TIMEOUT_MS,
      statement_timeout: STATEMENT_TIMEOUT_MS,
      types,
    });
    // A connection that breaks while idle is replaced by the pool; without a listener it would end the process.
    this.#pool.on('error', (err) => log.warn({ err }, 'idle database connection lost'));
  }

  async query<Row extends object>(text: string, values: readonly unknown[] = []): Promise<Row[]> {
    const { rows } = await this.#pool.query<Row>(text, [...values]);
    return rows;
  }

  /** Runs `work` in a transaction (read committed), from the start again after a deadlock. */
  async transaction<T>(work: (sql: Sql) => Promise<T>): Promise<T> {
    for (let attempt = 1; ; attempt++) {
      const client = await this.#pool.connect();
      let broken: Error | undefined;
      const afterCommit: (() => Promise<void>)[] = [];
      try {
        await client.query('begin');
        const result = await work({
          query: async <Row extends object>(text: string, values: readonly unknown[] = []) =>
            (await client.query<Row>(text, [...values])).rows,
          afterCommit: (action) => afterCommit.push(action),
        });
        await client.query('commit');
        for (const action of afterCommit) await action();
        return result;
      } catch (error) {
        await client.query('rollback').catch((cause: unknown) => {
          broken = toError(cause);
        });
        const state = (error as { code?: string }).code ?? '';
        if (!RETRYABLE.has(state) || attempt === MAX_TRANSACTION_ATTEMPTS) throw error;
      } finally {
        client.release(broken);
      }
      await delay(10 * 2 ** attempt * Math.random());
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#pool.end();
  }
}
