import { setTimeout as delay } from 'node:timers/promises';
import { grpcCertificates, type ServingCertificate } from '@gatehouse/certs';
import { explain } from '@gatehouse/lib/errors.ts';
import type { Log } from '@gatehouse/lib/log.ts';
import { createMetrics, startOpsServer } from '@gatehouse/lib/ops-server.ts';
import type { Address } from '@gatehouse/lib/options.ts';
import { retry } from '@gatehouse/lib/retry.ts';
import { experimental } from '@grpc/grpc-js';
import type { App } from './app/app.ts';
import { imageNotComposed } from './app/failed-images.ts';
import { importFeeds, refreshFeeds } from './app/feeds.ts';
import { composeImage } from './app/images.ts';
import { renewOutdated } from './app/layers.ts';
import { rematchPackages } from './app/matching.ts';
import { judgeImages } from './app/verdicts.ts';
import type { TokenAuthority } from './auth/authenticator.ts';
import { Database, type DatabaseLogin } from './datastore/database.ts';
import { sweepUploads } from './datastore/kept-uploads.ts';
import { sweepLeases } from './datastore/leases.ts';
import { migrate } from './datastore/migrate.ts';
import { VerdictBell } from './datastore/verdict-bell.ts';
import { CoreError } from './errors.ts';
import { createHttpServer, listen } from './http/server.ts';
import { Jobs } from './jobs/queue.ts';
import { startRpcServer } from './rpc/server.ts';

/** What a core is made of. */
export interface CoreParts {
  readonly database: DatabaseLogin;
  /** Empty if there are none. */
  readonly feeds: string;
  readonly feedsEvery: number;
  readonly grpcListen: Address;
  readonly httpListen: Address;
  readonly opsListen: Address;
  readonly workers: number;
  readonly certificate: ServingCertificate;
  /** Whether the HTTP API is for this machine alone: then it is served without TLS and asks for no token. */
  readonly httpIsLocal: boolean;
  readonly authorities: readonly TokenAuthority[];
  readonly log: Log;
}

/** A running core and the ports that it got. */
export interface Core extends AsyncDisposable {
  readonly grpcPort: number;
  readonly httpPort: number;
  readonly opsPort: number;
  readonly app: App;
}

/** In a cluster the store often starts after the core; this is how long the wait for the next try gets. */
const STORE_BACKOFF = { first: 250, most: 5_000 };
/** Jobs whose wake-up was lost are found, and what has run out is swept away, this often. */
const SWEEP_MS = 60_000;

/** Starts a core, once its store is there. Disposing of it lets running jobs end. */
export async function startCore(parts: CoreParts, signal: AbortSignal): Promise<Core> {
  const { log } = parts;
  await using stack = new AsyncDisposableStack();
  let notReady = 'the store is not there yet';
  const ops = stack.use(
    await startOpsServer({
      listen: parts.opsListen,
      metrics: createMetrics(),
      notReady: () => (notReady === '' ? [] : [notReady]),
    }),
  );
  const database = stack.use(new Database(parts.database, log));
  await openStore(database, log, signal);
  const jobs = stack.use(await Jobs.start(parts.database, log));
  const bell = stack.use(new VerdictBell(parts.database, log));
  const app: App = { database, jobs, bell, log };

  const http = await createHttpServer(parts.httpIsLocal ? undefined : parts.certificate.current(), {
    app,
    authorities: parts.authorities,
    trustsLoopback: parts.httpIsLocal,
    log,
  });
  stack.defer(() => http.close());
  if (!parts.httpIsLocal) {
    const { server } = http as unknown as { server: { setSecureContext(served: object): void } };
    stack.use(parts.certificate.onChange((served) => server.setSecureContext(served)));
  }
  const httpPort = await listen(http, parts.httpListen);
  const rpc = stack.use(
    // The second place is for authorities of clients, which prove themselves by tokens instead.
    await startRpcServer(
      parts.grpcListen,
      experimental.createCertificateProviderServerCredentials(
        grpcCertificates(parts.certificate),
        null,
        false,
      ),
      {
        app,
        authorities: parts.authorities,
        log,
      },
    ),
  );
  if (parts.workers > 0) await work(app, parts, stack);
  notReady = '';
  log.info({ grpcPort: rpc.port, httpPort, opsPort: ops.port }, 'core ready');
  const running = stack.move();
  return {
    grpcPort: rpc.port,
    httpPort,
    opsPort: ops.port,
    app,
    [Symbol.asyncDispose]: () => running.disposeAsync(),
  };
}

async function openStore(database: Database, log: Log, signal: AbortSignal): Promise<void> {
  await retry(() => migrate(database, log), {
    backoff: STORE_BACKOFF,
    signal,
    shouldRetry: (error, attempt) => {
      // What the store itself says will not change by waiting.
      if (error instanceof CoreError) return false;
      if (attempt % 10 === 0) log.warn({ reason: explain(error) }, 'the store cannot be used yet');
      return true;
    },
  });
}

async function work(app: App, parts: CoreParts, stack: AsyncDisposableStack): Promise<void> {
  await app.jobs.work(
    {
      'compose-image': ({ image, catalogerVersion }) => composeImage(app, image, catalogerVersion),
      'give-up-image': ({ image }, { failure = '' }) => imageNotComposed(app, image, failure),
      'rematch-packages': (_data, { signal }) => rematchPackages(app, signal),
      'judge-images': (_data, { signal }) => judgeImages(app, signal),
      'import-feeds': async (_data, { signal }) => {
        if (parts.feeds !== '') await importFeeds(app, parts.feeds, signal);
      },
    },
    parts.workers,
  );
  const ending = new AbortController();
  const routines = Promise.all([
    every(parts.feedsEvery, ending.signal, app, () => refreshFeeds(app)),
    every(SWEEP_MS, ending.signal, app, async () => {
      await app.jobs.send(app.database, 'rematch-packages', {});
      await app.jobs.send(app.database, 'judge-images', {});
      await sweepLeases(app.database);
      await sweepUploads(app.database);
      await renewOutdated(app);
    }),
  ]);
  stack.defer(async () => {
    ending.abort();
    await routines;
  });
}

/** Does something now and then again and again; a failure is logged and does not end it. */
async function every(ms: number, signal: AbortSignal, app: App, action: () => Promise<void>): Promise<void> {
  while (!signal.aborted) {
    await action().catch((err: unknown) => app.log.error({ err }, 'routine failed'));
    await delay(ms, undefined, { signal }).catch(() => undefined);
  }
}
