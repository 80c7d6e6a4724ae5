import { addAbortSignal } from 'node:stream';
import {
  create,
  type DescMessage,
  type DescMethod,
  type DescService,
  fromBinary,
  type MessageInitShape,
  type MessageShape,
  toBinary,
} from '@bufbuild/protobuf';
import {
  type CallOptions,
  type Client,
  type ClientReadableStream,
  type ClientUnaryCall,
  Metadata,
  type MethodDefinition,
  type Server,
  type ServerReadableStream,
  type ServerUnaryCall,
  type ServerWritableStream,
  type ServiceDefinition,
  type StatusObject,
  type UntypedHandleCall,
} from '@grpc/grpc-js';

/** What a call may be given besides its request. */
export interface CallSettings {
  /** Milliseconds until the call fails with DEADLINE_EXCEEDED; a stream that is meant to stay open has none. */
  readonly timeout?: number;
  readonly signal?: AbortSignal;
  readonly metadata?: Metadata;
}

/** An untyped message before its schema has seen it. */
type Fields = Record<string, unknown>;
type Input<M extends DescMethod> = MessageInitShape<M['input']>;
type Output<M extends DescMethod> = MessageShape<M['output']>;

/** The calls of a service: a promise for a unary or client-streaming method, an async iterable for server streaming. */
export type ServiceClient<S extends DescService> = {
  readonly [Name in keyof S['method']]: S['method'][Name]['methodKind'] extends 'server_streaming'
    ? (request: Input<S['method'][Name]>, settings?: CallSettings) => AsyncIterable<Output<S['method'][Name]>>
    : S['method'][Name]['methodKind'] extends 'client_streaming'
      ? (
          requests: AsyncIterable<Input<S['method'][Name]>>,
          settings?: CallSettings,
        ) => Promise<Output<S['method'][Name]>>
      : (request: Input<S['method'][Name]>, settings?: CallSettings) => Promise<Output<S['method'][Name]>>;
};

/** What a handler knows of its caller. `signal` aborts when the caller is gone or its deadline has passed. */
export interface CallContext<Caller> {
  readonly caller: Caller;
  readonly signal: AbortSignal;
}

export type ServiceHandlers<S extends DescService, Caller> = {
  readonly [Name in keyof S['method']]: S['method'][Name]['methodKind'] extends 'server_streaming'
    ? (
        request: MessageShape<S['method'][Name]['input']>,
        context: CallContext<Caller>,
      ) => AsyncIterable<MessageInitShape<S['method'][Name]['output']>>
    : S['method'][Name]['methodKind'] extends 'client_streaming'
      ? (
          requests: AsyncIterable<MessageShape<S['method'][Name]['input']>>,
          context: CallContext<Caller>,
        ) => Promise<MessageInitShape<S['method'][Name]['output']>>
      : (
          request: MessageShape<S['method'][Name]['input']>,
          context: CallContext<Caller>,
        ) => Promise<MessageInitShape<S['method'][Name]['output']>>;
};

function definitionOf(service: DescService): ServiceDefinition {
  return Object.fromEntries(service.methods.map((method) => [method.localName, methodDefinition(method)]));
}

function methodDefinition(method: DescMethod): MethodDefinition<object, object> {
  const serialize = (schema: DescMessage) => (message: object) =>
    Buffer.from(toBinary(schema, message as MessageShape<DescMessage>));
  const deserialize = (schema: DescMessage) => (bytes: Buffer) => fromBinary(schema, bytes);
  return {
    path: `/${method.parent.typeName}/${method.name}`,
    requestStream: method.methodKind === 'client_streaming' || method.methodKind === 'bidi_streaming',
    responseStream: method.methodKind === 'server_streaming' || method.methodKind === 'bidi_streaming',
    requestSerialize: serialize(method.input),
    requestDeserialize: deserialize(method.input),
    responseSerialize: serialize(method.output),
    responseDeserialize: deserialize(method.output),
  };
}

/** A typed client for `service` on a grpc-js client; calls fail with grpc-js's ServiceError. */
export function clientOf<S extends DescService>(service: S, client: Client): ServiceClient<S> {
  const calls = service.methods.map((method) => [method.localName, clientCall(method, client)]);
  return Object.fromEntries(calls) as ServiceClient<S>;
}

function clientCall(method: DescMethod, client: Client) {
  const definition = methodDefinition(method);
  const { path, requestSerialize, responseDeserialize } = definition;
  if (definition.responseStream) {
    return (request: object, settings: CallSettings = {}): AsyncIterable<object> => {
      const call = client.makeServerStreamRequest(
        path,
        requestSerialize,
        responseDeserialize,
        create(method.input, request as Fields),
        settings.metadata ?? new Metadata(),
        callOptions(settings),
      );
      return stopOnAbort(call, settings.signal);
    };
  }
  if (definition.requestStream) {
    return (requests: AsyncIterable<object>, settings: CallSettings = {}): Promise<object> =>
      new Promise((resolve, reject) => {
        const call = client.makeClientStreamRequest(
          path,
          requestSerialize,
          responseDeserialize,
          settings.metadata ?? new Metadata(),
          callOptions(settings),
          (error, response) => (error ? reject(error) : resolve(response as object)),
        );
        cancelOnAbort(call, settings.signal);
        pump(requests, (message) => writeMessage(call, create(method.input, message as Fields))).then(
          () => call.end(),
          (cause) => {
            call.cancel();
            reject(cause);
          },
        );
      });
  }
  return (request: object, settings: CallSettings = {}): Promise<object> =>
    new Promise((resolve, reject) => {
      const call = client.makeUnaryRequest(
        path,
        requestSerialize,
        responseDeserialize,
        create(method.input, request as Fields),
        settings.metadata ?? new Metadata(),
        callOptions(settings),
        (error, response) => (error ? reject(error) : resolve(response as object)),
      );
      cancelOnAbort(call, settings.signal);
    });
}

function callOptions(settings: CallSettings): CallOptions {
  return settings.timeout === undefined ? {} : { deadline: Date.now() + settings.timeout };
}

function cancelOnAbort(call: Pick<ClientUnaryCall, 'cancel' | 'on'>, signal: AbortSignal | undefined): void {
  if (!signal) return;
  const cancel = (): void => call.cancel();
  if (signal.aborted) cancel();
  signal.addEventListener('abort', cancel, { once: true });
  call.on('status', () => signal.removeEventListener('abort', cancel));
}

async function* stopOnAbort(
  call: ClientReadableStream<object>,
  signal: AbortSignal | undefined,
): AsyncGenerator<object, void, undefined> {
  cancelOnAbort(call, signal);
  try {
    yield* call as AsyncIterable<object>;
  } finally {
    call.cancel();
  }
}

interface MessageSink {
  write(message: object): boolean;
  once(event: 'drain', listener: () => void): unknown;
}

/** Resolves once the sink has room again, so that a slow reader slows the writer and not the memory. */
function writeMessage(sink: MessageSink, message: object, signal?: AbortSignal): Promise<void> | undefined {
  if (sink.write(message)) return undefined;
  return new Promise((resolve) => {
    sink.once('drain', resolve);
    signal?.addEventListener('abort', () => resolve(), { once: true });
  });
}

async function pump(
  messages: AsyncIterable<object>,
  write: (message: object) => Promise<void> | undefined,
): Promise<void> {
  for await (const message of messages) await write(message);
}

/** How a server tells who calls, and what a caller is told of an error. */
export interface ServicePolicy<Caller> {
  /** Throws if the caller may not call `path` (`/package.Service/Method`). */
  readonly authenticate: (metadata: Metadata, path: string) => Promise<Caller>;
  /** Milliseconds that the messages of a client's stream may take to come, whatever deadline the client sets. */
  readonly requestStreamMs: number;
  /** The status for whatever a handler threw. */
  readonly toStatus: (error: unknown) => Partial<StatusObject>;
}

/** Serves `service` by `handlers`. Each call is authenticated before its handler sees it. */
export function serve<S extends DescService, Caller>(
  server: Server,
  service: S,
  handlers: ServiceHandlers<S, Caller>,
  policy: ServicePolicy<Caller>,
): void {
  const implementation = service.methods.map((method) => {
    const handler = handlers[method.localName as keyof typeof handlers] as unknown as Handler<Caller>;
    return [method.localName, serverCall(method, handler, policy)] as const;
  });
  server.addService(definitionOf(service), Object.fromEntries(implementation));
}

type Handler<Caller> = (input: unknown, context: CallContext<Caller>) => unknown;
type AnyServerCall = ServerUnaryCall<object, object> &
  ServerWritableStream<object, object> &
  ServerReadableStream<object, object>;

function serverCall<Caller>(
  method: DescMethod,
  handler: Handler<Caller>,
  policy: ServicePolicy<Caller>,
): UntypedHandleCall {
  const { path, requestStream, responseStream } = methodDefinition(method);
  const handle = async (call: AnyServerCall): Promise<object | undefined> => {
    const ended = new AbortController();
    call.on('cancelled', () => ended.abort());
    const caller = await policy.authenticate(call.metadata, path);
    if (requestStream) {
      const late = AbortSignal.timeout(policy.requestStreamMs);
      late.addEventListener('abort', () => ended.abort(), { once: true });
      addAbortSignal(late, call);
    }
    const answer = handler(requestStream ? call : call.request, { caller, signal: ended.signal });
    if (!responseStream) return create(method.output, (await answer) as Fields);
    await pump(answer as AsyncIterable<object>, (message) =>
      writeMessage(call, create(method.output, message as Fields), ended.signal),
    );
    return undefined;
  };
  if (responseStream) {
    return ((call: AnyServerCall) => {
      handle(call).then(
        () => call.end(),
        (error: unknown) => call.emit('error', policy.toStatus(error)),
      );
    }) as UntypedHandleCall;
  }
  return ((call: AnyServerCall, callback: (error: object | null, value?: object) => void) => {
    handle(call).then(
      (response) => callback(null, response),
      (error: unknown) => callback(policy.toStatus(error)),
    );
  }) as UntypedHandleCall;
}
