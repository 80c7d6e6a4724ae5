import type { Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import swagger from '@fastify/swagger';
import type { Log } from '@gatehouse/lib/log.ts';
import type { Address } from '@gatehouse/lib/options.ts';
import fastify, { type FastifyInstance, type FastifyRequest } from 'fastify';
import type { App, Caller, Role } from '../app/app.ts';
import { authenticate, type TokenAuthority } from '../auth/authenticator.ts';
import { CoreError } from '../errors.ts';
import { driftRoutes } from './drift.ts';
import { feedRoutes } from './feeds.ts';
import { imageRoutes } from './images.ts';
import { nodeRoutes } from './nodes.ts';
import { sendProblems } from './problem.ts';
import { sbomRoutes } from './sboms.ts';

declare module 'fastify' {
  interface FastifyContextConfig {
    /** Who may call; admins if nothing is said. */
    role?: Role;
  }
  interface FastifyRequest {
    /** Who calls, as logs name him. */
    caller: string;
  }
}

/** No request of the API has a body of more than a few fields. */
const MAX_BODY_BYTES = 1024 * 1024;

export interface HttpParts {
  readonly app: App;
  readonly authorities: readonly TokenAuthority[];
  /** Whether who calls from this machine a loopback address by its own name needs no token: for a core on one's own. */
  readonly trustsLoopback: boolean;
  readonly log: Log;
}

/**
 * The names by which a loopback address is called. A page of the web that has its own name resolve to a loopback
 * address would call it by that name.
 */
const LOOPBACK_HOST = /^(?:127\.0\.0\.1|localhost|\[::1\])(?::\d+)?$/;

/** From where only this machine calls: another one can say any name, but its connections do not come from here. */
const LOOPBACK_SOURCE = /^(?:(?:::ffff:)?127\.\d+\.\d+\.\d+|::1)$/;

/** The HTTP API for people and tools, not listening yet. */
export async function createHttpServer(
  tls: { key: string; cert: string } | undefined,
  parts: HttpParts,
): Promise<FastifyInstance> {
  const options = { bodyLimit: MAX_BODY_BYTES, logger: false };
  const server = (tls
    ? fastify({ ...options, https: { ...tls, minVersion: 'TLSv1.2' } })
    : fastify(options)) as unknown as FastifyInstance<Server>;
  sendProblems(server, parts.log);
  await server.register(swagger, {
    openapi: {
      info: { title: 'Gatehouse', version: '1', description: 'What runs, what is in it, and may it start?' },
      components: { securitySchemes: { token: { type: 'http', scheme: 'bearer' } } },
      security: [{ token: [] }],
    },
  });
  await server.register(
    async (api) => {
      api.addHook('onRequest', async (request) => {
        const { authorization } = request.headers;
        if (parts.trustsLoopback && !authorization && isLocal(request)) {
          request.caller = 'this machine';
          return;
        }
        const caller = await authenticate(parts.authorities, authorization);
        const { role = 'admin' } = request.routeOptions.config;
        if (caller.role !== role)
          throw new CoreError('forbidden', `this is for callers of role ${role}; you are ${caller.role}`);
        request.caller = nameOf(caller);
      });
      api.decorateRequest('caller', '');
      await api.register(imageRoutes(parts.app));
      await api.register(sbomRoutes(parts.app));
      await api.register(feedRoutes(parts.app));
      await api.register(nodeRoutes(parts.app));
      await api.register(driftRoutes(parts.app));
    },
    { prefix: '/api/v1' },
  );
  server.get('/api/v1/openapi.json', { schema: { hide: true } }, async () => server.swagger());
  return server;
}

function nameOf(caller: Caller): string {
  return 'name' in caller ? caller.name : caller.role;
}

function isLocal({ host, socket }: FastifyRequest): boolean {
  return LOOPBACK_HOST.test(host) && LOOPBACK_SOURCE.test(socket.remoteAddress ?? '');
}

/** Listens; gives the port. */
export async function listen(server: FastifyInstance, address: Address): Promise<number> {
  await server.listen({ host: address.host, port: address.port });
  return (server.server.address() as AddressInfo).port;
}
