import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { ensureLocalCertificates, type ServedCertificate } from '@gatehouse/certs';
import { noLog } from '@gatehouse/lib/log.ts';
import type {
  WatchVerdictsRequest,
  WatchVerdictsResponse,
} from '@gatehouse/proto/gen/gatehouse/v1/verdicts_pb.ts';
import { status } from '@grpc/grpc-js';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it, vi } from 'vitest';
import { CoreClient, type VerdictFollower, type VerdictPosition } from './core-client.ts';
import { renewedFile } from './credentials.ts';
import { type Handlers, startTestCore, type TestCore } from './testing/core.ts';

let folder: string;
let tokenFile: string;
let authorityFile: string;
let served: ServedCertificate;
let foreign: ServedCertificate;
let stack: AsyncDisposableStack;

async function issue(name: string): Promise<ServedCertificate> {
  await using local = await ensureLocalCertificates(join(folder, name), ['localhost'], noLog);
  return local.current();
}

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'gatehouse-core-client-'));
  tokenFile = join(folder, 'token');
  authorityFile = join(folder, 'ca.crt');
  [served, foreign] = await Promise.all([issue('served'), issue('foreign')]);
});
afterAll(() => rm(folder, { recursive: true, force: true }));

beforeEach(async () => {
  stack = new AsyncDisposableStack();
  await writeFile(tokenFile, 'one');
  await writeFile(authorityFile, served.bundle ?? '');
});
afterEach(async () => {
  vi.useRealTimers();
  await stack.disposeAsync();
});

function clientOf(address: string): CoreClient {
  const endpoint = { address, authority: renewedFile(authorityFile), token: renewedFile(tokenFile) };
  return stack.use(new CoreClient(endpoint));
}

async function connect(handlers: Handlers): Promise<{ core: TestCore; client: CoreClient }> {
  const core = stack.use(await startTestCore(served, handlers));
  return { core, client: clientOf(`localhost:${core.port}`) };
}

const failure = (code: status) => ({ code, details: 'told to' });
const image = { digest: 'sha256:1', platform: 'linux/amd64', diffIds: ['a', 'b'], aliases: ['app:1'] };
const node = { runtime: 'containerd 2.1', images: [], containers: [] };

/** A report that fails with each of these, and then succeeds. */
function failing(...codes: readonly status[]): Required<Pick<Handlers, 'reportNode'>> {
  const next = codes.values();
  return {
    async reportNode() {
      const { value } = next.next();
      if (value !== undefined) throw failure(value);
      return { unknownImages: ['sha256:1'] };
    },
  };
}

describe('a call to the core', () => {
  it('brings the token of the caller and a deadline, and gives the answer', async () => {
    let asked: unknown;
    const { core, client } = await connect({
      async missingLayers(request) {
        asked = request;
        return { diffIds: ['b'] };
      },
    });
    expect(await client.missingLayers(image, 'v1')).toEqual({
      diffIds: ['b'],
      descriptionWanted: false,
      rootWanted: false,
      leased: [],
      leaseMs: 0,
    });
    expect(asked).toMatchObject({ image, catalogerVersion: 'v1' });
    expect(core.calls).toEqual([{ authorization: 'Bearer one', hasDeadline: true }]);
  });

  it.each([status.UNAVAILABLE, status.DEADLINE_EXCEEDED, status.RESOURCE_EXHAUSTED])(
    'is made again, three times in all, while the core is away (status %i)',
    async (code) => {
      const { core, client } = await connect(failing(code, code));
      expect(await client.reportNode(node)).toEqual(['sha256:1']);
      expect(core.calls).toHaveLength(3);
    },
  );

  it('fails as soon as the core was away three times', async () => {
    const { UNAVAILABLE } = status;
    const { core, client } = await connect(failing(UNAVAILABLE, UNAVAILABLE, UNAVAILABLE));
    await expect(client.reportNode(node)).rejects.toMatchObject({
      code: 'core_unavailable',
      message: `the core at localhost:${core.port} does not answer`,
      cause: { details: 'told to' },
    });
    expect(core.calls).toHaveLength(3);
  });

  it.each([
    [status.UNAUTHENTICATED, 'core_refused'],
    [status.PERMISSION_DENIED, 'core_refused'],
    [status.INVALID_ARGUMENT, 'core_rejected'],
    [status.FAILED_PRECONDITION, 'core_rejected'],
    [status.NOT_FOUND, 'core_rejected'],
    [status.INTERNAL, 'core_failed'],
  ])('that the core does not want (status %i) is not made again: %s', async (status, code) => {
    const { core, client } = await connect(failing(status));
    await expect(client.reportNode(node)).rejects.toMatchObject({ code });
    expect(core.calls).toHaveLength(1);
  });

  it('brings at each try the token of that moment', async () => {
    const { core, client } = await connect({
      async reportNode() {
        if (core.calls.length > 1) return {};
        await writeFile(tokenFile, 'renewed');
        throw failure(status.UNAVAILABLE);
      },
    });
    await client.reportNode(node);
    expect(core.calls.map((call) => call.authorization)).toEqual(['Bearer one', 'Bearer renewed']);
  });

  it('trusts the authorities of the moment, and them only', async () => {
    const { core, client } = await connect(failing());
    await client.reportNode(node);
    await writeFile(authorityFile, `${foreign.bundle}`);
    await expect(client.reportNode(node)).rejects.toMatchObject({ code: 'core_unavailable' });
    expect(core.calls).toHaveLength(1);
    await writeFile(authorityFile, `${foreign.bundle}${served.bundle}`);
    await client.reportNode(node);
    expect(core.calls).toHaveLength(2);
  });

  it('goes to none whose certificate has another name', async () => {
    const { core } = await connect(failing());
    const client = clientOf(`127.0.0.1:${core.port}`);
    await expect(client.reportNode(node)).rejects.toMatchObject({ code: 'core_unavailable' });
    expect(core.calls).toEqual([]);
  });

  it('is not made without a token', async () => {
    const { core, client } = await connect(failing());
    await rm(tokenFile);
    await expect(client.reportNode(node)).rejects.toMatchObject({ code: 'credentials_unreadable' });
    expect(core.calls).toEqual([]);
  });

  it('is given up, for the core too, and made again when a quarter of a minute brought no answer', async () => {
    vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] });
    const begun = Promise.withResolvers<void>();
    const cancelled = Promise.withResolvers<void>();
    const { core, client } = await connect({
      async reportNode(_, { signal }) {
        if (core.calls.length > 1) return { unknownImages: ['sha256:1'] };
        signal.addEventListener('abort', () => cancelled.resolve());
        begun.resolve();
        await cancelled.promise;
        return {};
      },
    });
    const call = client.reportNode(node);
    await begun.promise;
    await vi.advanceTimersByTimeAsync(15_000);
    await cancelled.promise;
    expect(await call).toEqual(['sha256:1']);
  });

  it('ends with the signal, for the core too, and is not made again', async () => {
    const begun = Promise.withResolvers<void>();
    const cancelled = Promise.withResolvers<void>();
    const { core, client } = await connect({
      async reportNode(_, { signal }) {
        signal.addEventListener('abort', () => cancelled.resolve());
        begun.resolve();
        await cancelled.promise;
        return {};
      },
    });
    const ending = new AbortController();
    const call = expect(client.reportNode(node, ending.signal)).rejects.toMatchObject({
      code: 'core_unavailable',
      cause: { code: status.CANCELLED },
    });
    await begun.promise;
    ending.abort();
    await Promise.all([call, cancelled.promise]);
    expect(core.calls).toHaveLength(1);
  });
});

describe('a layer that is sent', () => {
  const layerOf = (content: Buffer) => ({
    diffId: 'sha256:d',
    catalogerVersion: 'v1',
    chainId: 'sha256:c',
    content,
    contentDigest: 'sha256:x',
  });
  const kib = (count: number): Buffer =>
    Buffer.alloc(count * 1024, Buffer.from(Array.from({ length: 251 }, (_, n) => n)));

  interface Upload {
    readonly header: unknown;
    readonly chunks: readonly Uint8Array[];
  }

  /** Takes uploads in; of each of the first ones only so many messages, and then fails. */
  function intake(...messagesBeforeFailure: readonly number[]) {
    const uploads: Upload[] = [];
    const limits = messagesBeforeFailure.values();
    const uploadLayer: Handlers['uploadLayer'] = async (requests) => {
      const limit = limits.next().value ?? Number.POSITIVE_INFINITY;
      let header: unknown;
      let messages = 0;
      const chunks: Uint8Array[] = [];
      for await (const { part } of requests) {
        if (part.case === 'header') header = part.value;
        else if (part.case === 'content') chunks.push(part.value);
        if (++messages >= limit) throw failure(status.UNAVAILABLE);
      }
      uploads.push({ header, chunks });
      return {};
    };
    return { uploads, uploadLayer };
  }

  it.each([0, 1, 256, 257, 3_000])(
    'arrives whole, behind its header, in small parts: %i KiB',
    async (size) => {
      const { uploads, uploadLayer } = intake();
      const { client } = await connect({ uploadLayer });
      const content = kib(size);
      await client.uploadLayer(layerOf(content));
      expect(uploads).toHaveLength(1);
      expect(uploads[0]?.header).toMatchObject({
        diffId: 'sha256:d',
        catalogerVersion: 'v1',
        chainId: 'sha256:c',
        contentSize: BigInt(content.length),
        contentDigest: 'sha256:x',
      });
      const chunks = uploads[0]?.chunks ?? [];
      expect(Buffer.concat(chunks).equals(content)).toBe(true);
      expect(chunks.map((chunk) => chunk.length).filter((length) => length > 256 * 1024)).toEqual([]);
    },
  );

  it('is sent again from its header on if the core goes away in the midst of it', async () => {
    const { uploads, uploadLayer } = intake(1, 4);
    const { core, client } = await connect({ uploadLayer });
    const content = kib(1_000);
    await client.uploadLayer(layerOf(content));
    expect(core.calls.map((call) => call.hasDeadline)).toEqual([true, true, true]);
    expect(uploads.map(({ chunks }) => Buffer.concat(chunks).equals(content))).toEqual([true]);
    expect(uploads[0]?.header).toBeDefined();
  });

  it('goes on, at each try, from where the core has kept it', async () => {
    const { uploads, uploadLayer } = intake(3);
    const kept = [300n * 1024n, 1_500n * 1024n].values();
    const { client } = await connect({
      uploadLayer,
      keptUpload: async () => ({ bytes: kept.next().value ?? 0n }),
    });
    const content = kib(2_000);
    await client.uploadLayer(layerOf(content));
    expect(uploads[0]?.header).toMatchObject({ offset: 1_500n * 1024n, contentSize: 2_000n * 1024n });
    expect(Buffer.concat(uploads[0]?.chunks ?? []).equals(content.subarray(1_500 * 1024))).toBe(true);
  });

  it('is sent no further once the core has refused it', async () => {
    const { core, client } = await connect({
      uploadLayer: () => Promise.reject(failure(status.FAILED_PRECONDITION)),
    });
    await expect(client.uploadLayer(layerOf(kib(20_000)))).rejects.toMatchObject({ code: 'core_rejected' });
    // What is kept of it was asked for first.
    expect(core.calls).toHaveLength(2);
  });

  it('may be told to be unreadable instead', async () => {
    let told: unknown;
    const { client } = await connect({
      async reportUnreadableLayer(request) {
        told = request;
        return {};
      },
    });
    const layer = { diffId: 'sha256:d', catalogerVersion: 'v1', reason: 'no folder, no blob' };
    await client.reportUnreadableLayer(layer);
    expect(told).toMatchObject(layer);
  });
});

type Message = Pick<WatchVerdictsResponse, 'store' | 'revision' | 'caughtUp'> & {
  changes: { image: string; aliases: string[]; verdict: string }[];
};
type Stream = (
  request: WatchVerdictsRequest,
  signal: AbortSignal,
) => AsyncGenerator<Message, void, undefined>;

const message = (store: string, revision: number, ...verdicts: readonly string[]): Message => ({
  store,
  revision: BigInt(revision),
  caughtUp: true,
  changes: verdicts.map((verdict, index) => ({ image: `sha256:${index}`, aliases: ['app:1'], verdict })),
});
const untilEnded = (signal: AbortSignal): Promise<unknown> =>
  new Promise((resolve) => signal.addEventListener('abort', resolve));

function refused(code: status): never {
  throw failure(code);
}

/** Follows a core whose streams are these, one after the other; `over` when all of them were asked for. */
async function follow(streams: readonly Stream[], from: VerdictPosition = { store: '', revision: 0 }) {
  const events: unknown[] = [];
  const asked: string[] = [];
  const over = Promise.withResolvers<void>();
  const cancelled = Promise.withResolvers<void>();
  const next = streams.values();
  const steps = new Map<number, PromiseWithResolvers<void>>();
  const stepTo = (revision: number): PromiseWithResolvers<void> => {
    const step = steps.get(revision) ?? Promise.withResolvers<void>();
    steps.set(revision, step);
    return step;
  };
  const { core, client } = await connect({
    async *watchVerdicts(request, { signal }) {
      asked.push(`${request.store} ${request.revision}`);
      const stream = next.next().value;
      if (stream) return yield* stream(request, signal);
      over.resolve();
      await untilEnded(signal);
      cancelled.resolve();
    },
  });
  let position = from;
  const follower: VerdictFollower = {
    position: () => position,
    reset(store) {
      events.push(`reset ${store}`);
      position = { store, revision: 0 };
    },
    apply(changes, reached, caughtUp) {
      events.push({ changes, reached, caughtUp });
      position = reached;
      stepTo(reached.revision).resolve();
    },
    interrupted: (error) => events.push(error),
  };
  const ending = new AbortController();
  const following = client.followVerdicts(follower, ending.signal);
  const end = async (): Promise<void> => {
    ending.abort();
    await following;
  };
  stack.defer(end);
  return {
    core,
    events,
    asked,
    follower,
    end,
    over: over.promise,
    cancelled: cancelled.promise,
    reached: (revision: number): Promise<void> => stepTo(revision).promise,
  };
}

const applied = (store: string, revision: number, ...verdicts: readonly (string | undefined)[]) => ({
  changes: verdicts.map((verdict, index) => ({ image: `sha256:${index}`, aliases: ['app:1'], verdict })),
  reached: { store, revision },
  caughtUp: true,
});

describe('the verdicts of the core', () => {
  it('come one after the other, from the first one on; an empty one is of an image that is gone', async () => {
    const { core, events, asked, over } = await follow([
      async function* () {
        yield { ...message('s', 3, '{"state":"ready"}', ''), caughtUp: false };
        yield message('s', 4);
      },
    ]);
    await over;
    expect(events).toEqual([
      'reset s',
      { ...applied('s', 3, '{"state":"ready"}', undefined), caughtUp: false },
      applied('s', 4),
    ]);
    expect(asked).toEqual([' 0', 's 4']);
    expect(core.calls[0]).toEqual({ authorization: 'Bearer one', hasDeadline: false });
  });

  it('go on where the follower stands, after a break that it is told of', async () => {
    const { events, asked, over } = await follow(
      [
        async function* () {
          yield message('s', 8, '{}');
          throw failure(status.UNAVAILABLE);
        },
        async function* () {
          yield message('s', 9);
        },
      ],
      { store: 's', revision: 7 },
    );
    await over;
    expect(asked).toEqual(['s 7', 's 8', 's 9']);
    expect(events).toEqual([
      applied('s', 8, '{}'),
      expect.objectContaining({ code: 'core_unavailable' }),
      applied('s', 9),
    ]);
  });

  it('of another store come after the word that those of the first are to be forgotten', async () => {
    const { events, asked, over } = await follow(
      [
        async function* () {
          yield message('new', 1, '{}');
          yield message('new', 2);
        },
      ],
      { store: 'old', revision: 70 },
    );
    await over;
    expect(events).toEqual(['reset new', applied('new', 1, '{}'), applied('new', 2)]);
    expect(asked).toEqual(['old 70', 'new 2']);
  });

  it('are asked for with the token of the moment, and again though the token was refused', async () => {
    const { core, events, over } = await follow([
      async function* () {
        await writeFile(tokenFile, 'renewed');
        yield refused(status.UNAUTHENTICATED);
      },
    ]);
    await over;
    expect(core.calls.map((call) => call.authorization)).toEqual(['Bearer one', 'Bearer renewed']);
    expect(events).toEqual([expect.objectContaining({ code: 'core_refused' })]);
  });

  it('that the follower cannot take in are asked for again', async () => {
    const { asked, events, over, follower } = await follow(
      [
        async function* () {
          vi.spyOn(follower, 'apply').mockImplementationOnce(() => {
            throw new Error('no room');
          });
          yield message('s', 5);
        },
      ],
      { store: 's', revision: 4 },
    );
    await over;
    expect(asked).toEqual(['s 4', 's 4']);
    expect(events).toEqual([
      expect.objectContaining({ cause: expect.objectContaining({ message: 'no room' }) }),
    ]);
  });

  it('end with the signal, for the core too', async () => {
    const { events, over, cancelled, end } = await follow([]);
    await over;
    await Promise.all([end(), cancelled]);
    expect(events).toEqual([]);
  });

  it('are asked for again after a silence of half a minute, which no living core keeps', async () => {
    vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] });
    const turns = [1, 2, 3].map((revision) => ({ revision, ...Promise.withResolvers<void>() }));
    const { asked, events, over, reached } = await follow([
      async function* (_request, signal) {
        for (const { revision, promise } of turns) {
          await promise;
          yield message('s', revision);
        }
        await untilEnded(signal);
      },
    ]);
    for (const { revision, resolve } of turns) {
      resolve();
      await reached(revision);
      if (revision < turns.length) await vi.advanceTimersByTimeAsync(16_000);
    }
    await vi.advanceTimersByTimeAsync(30_000);
    await over;
    expect(asked).toEqual([' 0', 's 3']);
    expect(events.slice(1)).toEqual([
      ...turns.map(({ revision }) => applied('s', revision)),
      expect.objectContaining({ code: 'core_unavailable' }),
    ]);
  });
});
