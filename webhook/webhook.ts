import type { ServingCertificate } from '@gatehouse/certs';
import type { CoreClient } from '@gatehouse/core-client';
import type { Log } from '@gatehouse/lib/log.ts';
import { startOpsServer } from '@gatehouse/lib/ops-server.ts';
import type { Address } from '@gatehouse/lib/options.ts';
import {
  type Mode,
  type NamespaceSettings,
  Policy,
  readBundle,
  readVerdictsFile,
  VerdictIndex,
} from '@gatehouse/policies';
import { Drain } from './drain.ts';
import { createWebhookMetrics } from './metrics.ts';
import type { NamespaceLabels } from './namespaces.ts';
import { createReviewServer, listen } from './server.ts';
import { VerdictDisk } from './verdict-disk.ts';
import { VerdictFeed } from './verdict-feed.ts';

/** What a webhook is made of. */
export interface WebhookParts {
  readonly listen: Address;
  readonly opsListen: Address;
  /** The path of the policy bundle. */
  readonly bundle: string;
  /** Where verdicts come from: a core, with a folder to keep them in if there is to be one, or a file. */
  readonly source: { readonly core: CoreClient; readonly cacheFolder: string } | { readonly file: string };
  readonly cacheBytes: number;
  readonly certificate: ServingCertificate;
  readonly namespaces: NamespaceLabels;
  readonly defaults: NamespaceSettings;
  readonly cluster: string;
  /** Milliseconds to serve on after the end was announced; 0 ends at once. */
  readonly drain: number;
  readonly log: Log;
}

/** A running webhook and the ports that it got. */
export interface Webhook extends AsyncDisposable {
  readonly port: number;
  readonly opsPort: number;
}

/**
 * Starts a webhook. It listens at once and is ready when it has verdicts and namespaces; disposing of it serves on
 * until nobody is connected any more.
 */
export async function startWebhook(parts: WebhookParts): Promise<Webhook> {
  const { log } = parts;
  await using stack = new AsyncDisposableStack();
  const policy = await Policy.load(await readBundle(parts.bundle));
  const verdicts = new VerdictIndex(parts.cacheBytes);
  const metrics = createWebhookMetrics(verdicts);
  const drain = new Drain();
  const source = await openSource(parts, verdicts, stack);

  const ops = stack.use(
    await startOpsServer({
      listen: parts.opsListen,
      metrics: metrics.registry,
      notReady: () => [
        ...(source.loaded ? [] : ['no verdicts yet: neither from the core nor from disk']),
        ...(parts.namespaces.loaded ? [] : ['namespaces were not read yet']),
        ...(drain.isDraining ? ['ending'] : []),
      ],
    }),
  );
  const server = createReviewServer(parts.certificate.current(), {
    policy,
    facts: async (request) => ({
      verdicts,
      namespaceLabels: request.namespace ? await parts.namespaces.labelsOf(request.namespace) : {},
      defaults: parts.defaults,
      cluster: parts.cluster,
    }),
    metrics,
    drain,
    log,
  });
  stack.defer(() => server.close());
  const tlsServer = server.server as unknown as { setSecureContext(served: object): void };
  stack.use(parts.certificate.onChange((served) => tlsServer.setSecureContext(served)));
  const port = await listen(server, parts.listen);
  stack.defer(() =>
    drain.finish(server.server, parts.drain === 0 ? { least: 0, most: 0 } : { least: parts.drain }),
  );
  log.info({ port, opsPort: ops.port, mode: parts.defaults.mode satisfies Mode }, 'webhook listening');
  const running = stack.move();
  return { port, opsPort: ops.port, [Symbol.asyncDispose]: () => running.disposeAsync() };
}

async function openSource(
  { source, log }: WebhookParts,
  verdicts: VerdictIndex,
  stack: AsyncDisposableStack,
): Promise<{ readonly loaded: boolean }> {
  if ('file' in source) {
    for await (const image of readVerdictsFile(source.file)) verdicts.set(image);
    verdicts.confirmedAt = Date.now();
    log.info({ verdicts: verdicts.size, file: source.file }, 'verdicts loaded from a file');
    return { loaded: true };
  }
  const disk = source.cacheFolder === '' ? undefined : await openDisk(source.cacheFolder, log);
  const feed = new VerdictFeed(verdicts, disk, log);
  await feed.loadFromDisk();
  const ending = new AbortController();
  const following = source.core.followVerdicts(feed, ending.signal);
  stack.defer(async () => {
    ending.abort();
    await following;
    await disk?.flush();
  });
  return feed;
}

/** A disk that cannot be used costs the warm start, not the gate. */
async function openDisk(folder: string, log: Log): Promise<VerdictDisk | undefined> {
  try {
    return await VerdictDisk.open(folder, log);
  } catch (err) {
    log.error({ err }, 'verdicts are not kept on disk');
    return undefined;
  }
}
