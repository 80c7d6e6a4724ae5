import type { Log } from '@gatehouse/lib/log.ts';
import type { Address } from '@gatehouse/lib/options.ts';
import { Layers } from '@gatehouse/proto/gen/gatehouse/v1/layers_pb.ts';
import { Nodes } from '@gatehouse/proto/gen/gatehouse/v1/nodes_pb.ts';
import { Verdicts } from '@gatehouse/proto/gen/gatehouse/v1/verdicts_pb.ts';
import { type ServicePolicy, serve } from '@gatehouse/proto/grpc.ts';
import { Server, type ServerCredentials } from '@grpc/grpc-js';
import type { App, Caller } from '../app/app.ts';
import { authenticate, type TokenAuthority } from '../auth/authenticator.ts';
import { layersService } from './layers.ts';
import { nodesService } from './nodes.ts';
import { toStatus } from './status.ts';
import { verdictsService } from './verdicts.ts';

/** Streams that are still open this long after the end was announced are cut; their clients come back elsewhere. */
const SHUTDOWN_MS = 2_000;
/** Agents give an upload 15 s, and go on from where it was in another. */
const REQUEST_STREAM_MS = 30_000;
/** A report of a node with 5,000 images of a few names each has some 2 MB. */
const MAX_MESSAGE_BYTES = 8 * 1024 * 1024;

const options = {
  'grpc.max_receive_message_length': MAX_MESSAGE_BYTES,
  'grpc.keepalive_time_ms': 30_000,
  'grpc.keepalive_timeout_ms': 10_000,
};

/** The gRPC server for agents and webhooks. */
export async function startRpcServer(
  listen: Address,
  credentials: ServerCredentials,
  parts: { app: App; authorities: readonly TokenAuthority[]; log: Log },
): Promise<AsyncDisposable & { readonly port: number }> {
  const server = new Server(options);
  const policy: ServicePolicy<Caller> = {
    authenticate: (metadata) => authenticate(parts.authorities, metadata.get('authorization')[0]?.toString()),
    requestStreamMs: REQUEST_STREAM_MS,
    toStatus: (error) => toStatus(error, parts.log),
  };
  serve(server, Layers, layersService(parts.app), policy);
  serve(server, Nodes, nodesService(parts.app), policy);
  serve(server, Verdicts, verdictsService(parts.app), policy);
  const port = await new Promise<number>((resolve, reject) => {
    const host = listen.host.includes(':') ? `[${listen.host}]` : listen.host;
    server.bindAsync(`${host}:${listen.port}`, credentials, (error, bound) =>
      error ? reject(error) : resolve(bound),
    );
  });
  return {
    port,
    async [Symbol.asyncDispose]() {
      const cut = setTimeout(() => server.forceShutdown(), SHUTDOWN_MS);
      await new Promise<void>((resolve) => server.tryShutdown(() => resolve()));
      clearTimeout(cut);
    },
  };
}
