import { Layers } from '@gatehouse/proto/gen/gatehouse/v1/layers_pb.ts';
import { Nodes } from '@gatehouse/proto/gen/gatehouse/v1/nodes_pb.ts';
import { Verdicts } from '@gatehouse/proto/gen/gatehouse/v1/verdicts_pb.ts';
import { type ServiceHandlers, serve } from '@gatehouse/proto/grpc.ts';
import { Server, ServerCredentials, ServerInterceptingCall, type StatusObject, status } from '@grpc/grpc-js';

/** What a server heard of a call before its handler did. */
export interface HeardCall {
  readonly authorization: string;
  readonly hasDeadline: boolean;
}

export type Handlers = Partial<
  ServiceHandlers<typeof Layers, HeardCall> &
    ServiceHandlers<typeof Nodes, HeardCall> &
    ServiceHandlers<typeof Verdicts, HeardCall>
>;

export interface TestCore extends AsyncDisposable {
  readonly port: number;
  /** Each call, in the order in which they came. */
  readonly calls: readonly HeardCall[];
}

/** A gRPC server that answers as told; the status of a failing call is what the handler throws. */
export async function startTestCore(
  { cert, key }: { readonly cert: string; readonly key: string },
  handlers: Handlers,
): Promise<TestCore> {
  const calls: HeardCall[] = [];
  let hasDeadline = false;
  const server = new Server({
    interceptors: [
      (_method, call) => {
        hasDeadline = Number.isFinite(Number(call.getDeadline()));
        return new ServerInterceptingCall(call);
      },
    ],
  });
  const policy = {
    authenticate: async (metadata: { get(name: string): unknown[] }) => {
      const call = { authorization: String(metadata.get('authorization')[0]), hasDeadline };
      calls.push(call);
      return call;
    },
    requestStreamMs: 60_000,
    toStatus: (error: unknown) => error as Partial<StatusObject>,
  };
  const unexpected = () => Promise.reject({ code: status.UNIMPLEMENTED, details: 'not expected' });
  const { reportNode, reportRuntimeFacts, watchVerdicts } = handlers;
  serve(
    server,
    Layers,
    {
      missingLayers: handlers.missingLayers ?? unexpected,
      uploadLayer: handlers.uploadLayer ?? unexpected,
      // As of a core that keeps nothing.
      keptUpload: handlers.keptUpload ?? (async () => ({})),
      reportUnreadableLayer: handlers.reportUnreadableLayer ?? unexpected,
      reportFailedImage: handlers.reportFailedImage ?? unexpected,
      holdLayers: handlers.holdLayers ?? unexpected,
    },
    policy,
  );
  serve(
    server,
    Nodes,
    { reportNode: reportNode ?? unexpected, reportRuntimeFacts: reportRuntimeFacts ?? unexpected },
    policy,
  );
  if (watchVerdicts) serve(server, Verdicts, { watchVerdicts }, policy);
  const pair = { cert_chain: Buffer.from(cert), private_key: Buffer.from(key) };
  const port = await new Promise<number>((resolve, reject) => {
    server.bindAsync('localhost:0', ServerCredentials.createSsl(null, [pair]), (error, bound) =>
      error ? reject(error) : resolve(bound),
    );
  });
  return {
    port,
    calls,
    async [Symbol.asyncDispose]() {
      server.forceShutdown();
    },
  };
}
