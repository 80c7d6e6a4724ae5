import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { text } from 'node:stream/consumers';
import { type Credentials, RegistryError, toCredentials } from '@gatehouse/registry';

/** Helpers ask keyrings, and some of them the person in front of it. */
const HELPER_TIMEOUT_MS = 60_000;
/** What Docker calls Docker Hub when it asks. */
const HUB_NAME = 'https://index.docker.io/v1/';
/** What all helpers say when they know nothing (docker-credential-helpers, credentials/error.go). */
const KNOWS_NONE = /credentials not found|not found in native keychain/i;

/**
 * Asks the program `docker-credential-NAME` for the credentials of a registry; undefined if it has none. Throws
 * RegistryError `credentials_unreadable`.
 */
export async function askHelper(
  name: string,
  host: string,
  signal: AbortSignal | undefined,
): Promise<Credentials | undefined> {
  const program = `docker-credential-${name}`;
  const fail = (why: string, cause?: unknown): RegistryError =>
    new RegistryError('credentials_unreadable', `${program} gives no credentials for ${host}: ${why}`, {
      cause,
      hint: `Try \`echo ${host} | ${program} get\`, or take it out of Docker's config.json.`,
    });
  const over = AbortSignal.timeout(HELPER_TIMEOUT_MS);
  const child = spawn(program, ['get'], {
    stdio: ['pipe', 'pipe', 'ignore'],
    signal: signal ? AbortSignal.any([signal, over]) : over,
  });
  child.stdin.on('error', () => undefined);
  child.stdin.end(host === 'docker.io' ? HUB_NAME : host);
  let said: string;
  try {
    [said] = await Promise.all([text(child.stdout), once(child, 'close')]);
  } catch (cause) {
    signal?.throwIfAborted();
    throw fail('it cannot be run', cause);
  }
  if (child.exitCode !== 0) {
    if (KNOWS_NONE.test(said)) return undefined;
    throw fail(`it ended with ${child.exitCode}`);
  }
  const { Username: username, Secret: secret } = parseSaid(said) ?? {};
  if (typeof username !== 'string' || typeof secret !== 'string')
    throw fail('what it says is not understood');
  return toCredentials(username, secret);
}

/** Without the error, which would quote the secret. */
function parseSaid(said: string): Readonly<Record<string, unknown>> | undefined {
  try {
    return JSON.parse(said) as Readonly<Record<string, unknown>>;
  } catch {
    return undefined;
  }
}
