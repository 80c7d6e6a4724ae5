import { Client, credentials, Server, ServerCredentials, status } from '@grpc/grpc-js';
import { describe, expect, it } from 'vitest';
import { Layers } from './gen/gatehouse/v1/layers_pb.ts';
import { clientOf, type ServiceHandlers, serve } from './grpc.ts';

describe('a stream of requests', () => {
  it('ends when it has taken its time, though its client sets no deadline', async () => {
    const server = new Server();
    const arrived: string[] = [];
    const handlers: Pick<ServiceHandlers<typeof Layers, undefined>, 'uploadLayer'> = {
      async uploadLayer(requests) {
        for await (const { part } of requests) arrived.push(String(part.case));
        return {};
      },
    };
    serve(server, Layers, handlers as ServiceHandlers<typeof Layers, undefined>, {
      authenticate: async () => undefined,
      requestStreamMs: 200,
      toStatus: (error) => ({ code: status.ABORTED, details: (error as Error).name }),
    });
    const port = await new Promise<number>((resolve, reject) => {
      server.bindAsync('127.0.0.1:0', ServerCredentials.createInsecure(), (error, bound) =>
        error ? reject(error) : resolve(bound),
      );
    });
    const client = new Client(`127.0.0.1:${port}`, credentials.createInsecure());
    const endless = Promise.withResolvers<void>();
    async function* hanging() {
      yield { part: { case: 'content' as const, value: Buffer.from('x') } };
      await endless.promise;
    }
    await expect(clientOf(Layers, client).uploadLayer(hanging())).rejects.toMatchObject({
      code: status.ABORTED,
      details: 'AbortError',
    });
    expect(arrived).toEqual(['content']);
    endless.resolve();
    client.close();
    server.forceShutdown();
  });
});
