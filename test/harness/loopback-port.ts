import { once } from 'node:events';
import { type AddressInfo, createServer } from 'node:net';

/**
 * A port on 127.0.0.1 that the system chose. It stays taken until it is disposed of, and a server that shares ports
 * (SO_REUSEPORT) can take it meanwhile, so that nobody else comes between the choice and the server.
 */
export async function reserveLoopbackPort(): Promise<AsyncDisposable & { readonly port: number }> {
  const server = createServer((socket) => socket.destroy());
  server.listen({ host: '127.0.0.1', port: 0, reusePort: true });
  await once(server, 'listening');
  return {
    port: (server.address() as AddressInfo).port,
    [Symbol.asyncDispose]: () => server[Symbol.asyncDispose](),
  };
}
