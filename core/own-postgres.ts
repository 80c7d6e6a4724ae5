import { randomBytes } from 'node:crypto';
import {
  CertsError,
  type Kubernetes,
  type ObjectName,
  type ServingCertificate,
  secretCertificate,
  startIssuer,
} from '@gatehouse/certs';
import type { Log } from '@gatehouse/lib/log.ts';
import { retry } from '@gatehouse/lib/retry.ts';
import type { DatabaseLogin } from './datastore/database.ts';

/** 256 bits; nobody has to type it. */
const PASSWORD_BYTES = 32;
const PASSWORD_KEY = 'password';
const CONFLICT_BACKOFF = { first: 50, most: 1_000 };

/**
 * Makes up the password and the certificate of the PostgreSQL that the manifests bring along, and keeps them in a
 * Secret that its pod mounts. Gives what it takes to connect; the authorities are followed through renewals.
 */
export async function ownPostgres(
  options: { kubernetes: Kubernetes; secret: ObjectName; database: string; log: Log; signal: AbortSignal },
  stack: AsyncDisposableStack,
): Promise<DatabaseLogin> {
  const { kubernetes, secret, log, signal } = options;
  const url = new URL(options.database);
  url.password = await keepPassword(kubernetes, secret);
  stack.use(startIssuer({ kubernetes, secret, names: [url.hostname], publishers: [], log }));
  const certificate = stack.use(await secretCertificate({ kubernetes, secret, log, signal }));
  return { connectionString: url.href, ssl: trustIn(certificate) };
}

/** The password in the Secret, made up if there is none; of two replicas that do so at once the first one's stays. */
async function keepPassword(kubernetes: Kubernetes, at: ObjectName): Promise<string> {
  const object = kubernetes.secret(at);
  return retry(
    async () => {
      const secret = await object.read();
      const kept = secret?.data?.[PASSWORD_KEY];
      if (kept) return Buffer.from(kept, 'base64').toString('utf8');
      const password = randomBytes(PASSWORD_BYTES).toString('base64url');
      const data = { [PASSWORD_KEY]: Buffer.from(password).toString('base64') };
      if (secret)
        await object.patch({ metadata: { resourceVersion: secret.metadata?.resourceVersion }, data });
      else await object.create({ type: 'Opaque', data });
      return password;
    },
    {
      backoff: CONFLICT_BACKOFF,
      shouldRetry: (error) => error instanceof CertsError && error.code === 'api_conflict',
    },
  );
}

/** TLS options whose authorities are those of the moment at which a connection is made. */
function trustIn(certificate: ServingCertificate): DatabaseLogin['ssl'] {
  return {
    get ca() {
      return certificate.current().bundle;
    },
  };
}
