import { once } from 'node:events';
import { type AddressInfo, connect, createServer, type Socket } from 'node:net';

/** A way to a server on this machine that counts bytes, and breaks where it is told to. */
export interface TcpProxy extends AsyncDisposable {
  readonly port: number;
  /** Bytes so far towards the server. */
  readonly sent: number;
  /** Bytes so far from the server. */
  readonly received: number;
  /** Cuts all connections once so many bytes more went towards the server, and lets none through until it is mended. */
  breakAfter(bytes: number): void;
  mend(): void;
}

/** Starts a proxy to a port of localhost. */
export async function startTcpProxy(target: number): Promise<TcpProxy> {
  const sockets = new Set<Socket>();
  let [sent, received, limit] = [0, 0, Number.POSITIVE_INFINITY];
  const cut = (): void => {
    for (const socket of sockets) socket.destroy();
  };
  // Nothing waits for a packet to be filled, as nothing does between client and server.
  const server = createServer({ noDelay: true }, (near) => {
    if (sent >= limit) {
      near.destroy();
      return;
    }
    const far = connect({ port: target, host: 'localhost', noDelay: true });
    for (const socket of [near, far]) {
      sockets.add(socket);
      socket.on('error', () => undefined);
      socket.on('close', () => {
        sockets.delete(socket);
        near.destroy();
        // What was passed on before a break reaches the server before the end does.
        if (!far.writableEnded) far.destroy();
      });
    }
    near.on('data', (bytes) => {
      const passed = bytes.subarray(0, Math.max(0, limit - sent));
      sent += passed.length;
      if (sent < limit) {
        far.write(bytes);
      } else {
        far.end(passed);
        near.destroy();
      }
    });
    far.on('data', (bytes) => {
      received += bytes.length;
      near.write(bytes);
    });
  });
  server.listen({ host: 'localhost', port: 0 });
  await once(server, 'listening');
  return {
    port: (server.address() as AddressInfo).port,
    get sent() {
      return sent;
    },
    get received() {
      return received;
    },
    breakAfter(bytes) {
      limit = sent + bytes;
      if (bytes === 0) cut();
    },
    mend() {
      limit = Number.POSITIVE_INFINITY;
    },
    async [Symbol.asyncDispose]() {
      cut();
      await server[Symbol.asyncDispose]();
    },
  };
}
