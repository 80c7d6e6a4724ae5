import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { collectDefaultMetrics, Registry } from 'prom-client';
import type { Address } from './options.ts';

/** What a component says of itself: metrics for Prometheus, and whether it is alive and ready. */
export interface OpsServer extends AsyncDisposable {
  readonly port: number;
}

/** Probes and scrapers send no body; longer headers than this are not theirs. */
const MAX_HEADER_BYTES = 8 * 1024;

/** The registry of a component, with the process metrics of Node under the `gatehouse_` prefix. */
export function createMetrics(): Registry {
  const registry = new Registry();
  collectDefaultMetrics({ register: registry, prefix: 'gatehouse_' });
  return registry;
}

/**
 * Serves /metrics, /healthz and /readyz. `notReady` gives the reasons why the component is not ready, one a line in the
 * answer to /readyz; an empty list means ready.
 */
export async function startOpsServer(options: {
  listen: Address;
  metrics: Registry;
  notReady: () => readonly string[];
}): Promise<OpsServer> {
  const answers: Readonly<Record<string, () => Promise<{ status: number; type: string; body: string }>>> = {
    '/metrics': async () => ({
      status: 200,
      type: options.metrics.contentType,
      body: await options.metrics.metrics(),
    }),
    '/healthz': async () => ({ status: 200, type: 'text/plain', body: 'ok\n' }),
    '/readyz': async () => {
      const reasons = options.notReady();
      return reasons.length === 0
        ? { status: 200, type: 'text/plain', body: 'ok\n' }
        : { status: 503, type: 'text/plain', body: `${reasons.join('\n')}\n` };
    },
  };
  const server = createServer({ maxHeaderSize: MAX_HEADER_BYTES }, (request, response) => {
    const answer = answers[request.url?.split('?')[0] ?? ''];
    if (!answer || request.method !== 'GET') {
      response.writeHead(404).end();
      return;
    }
    answer().then(
      ({ status, type, body }) => response.writeHead(status, { 'content-type': type }).end(body),
      () => response.writeHead(500).end(),
    );
  });
  await listen(server, options.listen);
  return {
    port: (server.address() as AddressInfo).port,
    async [Symbol.asyncDispose]() {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}

function listen(server: Server, address: Address): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once('error', reject);
    server.listen(address.port, address.host, () => {
      server.off('error', reject);
      resolve();
    });
  });
}
