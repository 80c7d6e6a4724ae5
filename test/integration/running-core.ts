import { createHash } from 'node:crypto';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { ensureLocalCertificates } from '@gatehouse/certs';
import { type Caller, type Core, fixedTokens, startCore } from '@gatehouse/core/main.ts';
import { CoreClient, renewedFile, type VerdictChange, type VerdictFollower } from '@gatehouse/core-client';
import { noLog } from '@gatehouse/lib/log.ts';
import type { Verdict } from '@gatehouse/policies';
import { type PostgresVersion, startPostgres } from '../harness/postgres.ts';
import { eventually } from '../harness/wait.ts';

const ANY_PORT = { host: '127.0.0.1', port: 0 };
const CLUSTER = 'test';
const NODES = ['n1', 'n2'] as const;
type Node = (typeof NODES)[number];

/** A token as long as those of service accounts, of which each call carries one. */
export function tokenOf(caller: string): string {
  const padding = Array.from({ length: 13 }, (_, n) =>
    createHash('sha512').update(`${caller} ${n}`).digest('base64url'),
  );
  return [caller, ...padding].join('.');
}

/** A core on a real PostgreSQL, and those who call it. */
export interface RunningCore extends AsyncDisposable {
  readonly core: Core;
  /** The store's URL. */
  readonly database: string;
  readonly agents: Readonly<Record<Node, CoreClient>>;
  readonly webhook: CoreClient;
  /** Another client of a node, by another port of localhost that leads to the core. */
  connect(node: Node, port: number): CoreClient;
  /** HOST:PORT of the gRPC API, and the file with the authority of its certificate. */
  readonly address: string;
  readonly authorityFile: string;
  /** The base of the HTTP API. */
  readonly api: string;
  /** Stops the core and starts it again on the same store; callers stay. */
  restart(): Promise<void>;
}

export async function startRunningCore(options: {
  readonly feeds?: string;
  readonly postgres?: PostgresVersion;
}): Promise<RunningCore> {
  await using stack = new AsyncDisposableStack();
  const folder = await mkdtemp(path.join(tmpdir(), 'gatehouse-core-'));
  stack.defer(() => rm(folder, { recursive: true, force: true }));
  const postgres = stack.use(await startPostgres({ version: options.postgres ?? '18' }));
  const { url } = await postgres.createDatabase();
  const certificate = stack.use(await ensureLocalCertificates(folder, ['localhost', '127.0.0.1'], noLog));
  const start = (grpcPort = 0): Promise<Core> =>
    startCore(
      {
        database: { connectionString: url },
        feeds: options.feeds ?? '',
        feedsEvery: 3_600_000,
        grpcListen: { ...ANY_PORT, port: grpcPort },
        httpListen: ANY_PORT,
        opsListen: ANY_PORT,
        workers: 2,
        certificate,
        httpIsLocal: true,
        authorities: [
          fixedTokens(
            new Map<string, Caller>([
              ...NODES.map((node) => [tokenOf(node), { role: 'agent', cluster: CLUSTER, node }] as const),
              [tokenOf('webhook'), { role: 'webhook', cluster: CLUSTER }],
              ['ann', { role: 'admin', name: 'ann' }],
              ['ci', { role: 'uploader', name: 'ci' }],
            ]),
          ),
        ],
        log: noLog,
      },
      new AbortController().signal,
    );
  let core = await start();
  stack.defer(() => core[Symbol.asyncDispose]());
  const connect = (caller: string, port: number): CoreClient =>
    new CoreClient({
      address: `localhost:${port}`,
      authority: renewedFile(certificate.bundleFile),
      token: async () => tokenOf(caller),
    });
  const client = (caller: string): CoreClient => stack.use(connect(caller, core.grpcPort));
  const agents = { n1: client('n1'), n2: client('n2') };
  const webhook = client('webhook');
  const running = stack.move();
  return {
    get core() {
      return core;
    },
    get address() {
      return `localhost:${core.grpcPort}`;
    },
    authorityFile: certificate.bundleFile,
    get api() {
      return `http://127.0.0.1:${core.httpPort}/api/v1`;
    },
    database: url,
    agents,
    webhook,
    connect,
    async restart() {
      const { grpcPort } = core;
      await core[Symbol.asyncDispose]();
      core = await start(grpcPort);
    },
    [Symbol.asyncDispose]: () => running.disposeAsync(),
  };
}

/** A watcher of verdicts that remembers everything it was told, in order. */
export class Watcher implements VerdictFollower, AsyncDisposable {
  readonly told: (VerdictChange & { readonly revision: number })[] = [];
  readonly resets: string[] = [];
  interruptions = 0;
  #position = { store: '', revision: 0 };
  #caughtUp = false;
  readonly #ending = new AbortController();
  #following: Promise<void> | undefined;

  follow(client: CoreClient): this {
    this.#following = client.followVerdicts(this, this.#ending.signal);
    return this;
  }

  position(): { store: string; revision: number } {
    return this.#position;
  }

  reset(store: string): void {
    this.resets.push(store);
    this.#position = { store, revision: 0 };
  }

  apply(
    changes: readonly VerdictChange[],
    position: { store: string; revision: number },
    caughtUp: boolean,
  ): void {
    for (const change of changes) {
      const revision = change.verdict ? (JSON.parse(change.verdict) as Verdict).revision : position.revision;
      this.told.push({ ...change, revision });
    }
    this.#position = position;
    this.#caughtUp = caughtUp;
  }

  interrupted(): void {
    this.interruptions++;
  }

  /** The last that was told of an image. */
  verdictOf(image: string): Verdict | undefined {
    const change = this.told.findLast((each) => each.image === image);
    return change?.verdict === undefined ? undefined : (JSON.parse(change.verdict) as Verdict);
  }

  aliasesOf(image: string): readonly string[] {
    return this.told.findLast((each) => each.image === image)?.aliases ?? [];
  }

  untilCaughtUp(): Promise<void> {
    return eventually(
      () => {
        if (!this.#caughtUp) throw new Error('it has not caught up');
      },
      { what: 'the watcher to catch up' },
    );
  }

  /** Waits until what was last told of an image is as the check wants it. */
  until(image: string, check: (verdict: Verdict) => boolean): Promise<Verdict> {
    return eventually(
      () => {
        const verdict = this.verdictOf(image);
        if (verdict && check(verdict)) return verdict;
        throw new Error(`the last word on ${image} is ${JSON.stringify(verdict)}`);
      },
      { what: 'the verdict' },
    );
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#ending.abort();
    await this.#following;
  }
}
