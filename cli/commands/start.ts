import { randomBytes } from 'node:crypto';
import { homedir, hostname } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import {
  bringSourceImage,
  connectRuntimes,
  createAgentMetrics,
  FACTS_PLAN,
  joinRuntimes,
  type Runtime,
  runtimeOptions,
  startAgent,
} from '@gatehouse/agent/main.ts';
import { ensureLocalCertificates } from '@gatehouse/certs';
import {
  type Core,
  fixedTokens,
  type JobName,
  feeds as listFeeds,
  images as listImages,
  startCore,
} from '@gatehouse/core/main.ts';
import { CoreClient, renewedFile } from '@gatehouse/core-client';
import { CodedError } from '@gatehouse/lib/errors.ts';
import { type Log, logLevels } from '@gatehouse/lib/log.ts';
import {
  address,
  asksForHelp,
  describeOptions,
  duration,
  type OptionValues,
  oneOf,
  readOptions,
  text,
} from '@gatehouse/lib/options.ts';
import { runUntilSignal } from '@gatehouse/lib/run.ts';
import { defaultBundle, modes, unknownChoices } from '@gatehouse/policies';
import type { SourceImage } from '@gatehouse/sbom';
import { noNamespaces, startWebhook } from '@gatehouse/webhook/main.ts';
import { startEmbeddedPostgres } from '../embedded-postgres.ts';
import { imageTable, tryOut } from '../first-look.ts';
import { imageOptions, openImage } from '../open-image.ts';
import { createPlainLog } from '../plain-log.ts';
import { counted, say } from '../say.ts';

/** As root the home folder is often not meant for data. */
const defaultFolder =
  process.getuid?.() === 0 ? '/var/lib/gatehouse' : join(homedir(), '.local', 'share', 'gatehouse');

const options = {
  dataFolder: text('FOLDER', 'where everything is kept', defaultFolder),
  feeds: text(
    'FOLDER|URL',
    'where advisories come from: ECOSYSTEM/all.zip and kev.json below it; nothing means none, and no verdicts',
    'https://osv-vulnerabilities.storage.googleapis.com',
  ),
  feedsEvery: duration('how often to look whether the feeds have changed', '1h'),
  httpListen: address('where people and tools call', '127.0.0.1:8080'),
  webhookListen: address('where reviews are answered', '127.0.0.1:8443'),
  ...runtimeOptions,
  mode: oneOf(modes, 'what happens to what the policy denies', 'enforce'),
  unknown: oneOf(unknownChoices, 'what happens to images without a verdict', 'allow'),
  ...imageOptions,
  logLevel: oneOf(logLevels, 'how much to log', 'error'),
};
type Config = OptionValues<typeof options>;

const help = {
  usage: 'gatehouse start [options] [IMAGE...]',
  summary: `Core, webhook and agent in one process, for one machine. The agent reads what containerd, CRI-O and Docker have;
further images can be named: docker-archive:FILE, oci-archive:FILE, oci-dir:FOLDER[:TAG] or registry:REF.`,
  example: 'gatehouse start --feeds ./feeds docker-archive:app.tar',
};

const LOOPBACK_ANY_PORT = { host: '127.0.0.1', port: 0 };
const RELIST_MS = 30_000;
const WEBHOOK_CACHE_BYTES = 256_000_000;
const LOOK_EVERY_MS = 200;
/** What takes longer than this is said, lest it look like nothing. */
const SILENCE_MS = 5_000;
/** More images than a machine has. */
const MAX_IMAGES = 500;

/** Runs everything on this machine until it is told to end. */
export async function start(argv: readonly string[]): Promise<void> {
  if (asksForHelp(argv)) {
    process.stdout.write(describeOptions(help, options));
    return;
  }
  const { values: config, positionals: images } = readOptions(options, argv);
  const log = createPlainLog(config.logLevel);
  await runUntilSignal(async (signal) => {
    await using stack = new AsyncDisposableStack();
    const named: NamedImage[] = [];
    // What is wrong with one of them is told before anything starts.
    for (const source of images) {
      named.push({ source, image: stack.use(await openImage(source, config, signal)) });
    }
    const machine = await startMachine(config, log, signal, stack);
    await readImages(machine, named, signal, stack);
    await untilSettled(machine.core, signal);
    const found = await listImages(machine.core.app, { after: '', limit: MAX_IMAGES });
    process.stdout.write(imageTable(found, machine.url) + tryOut(found, machine.webhook));
    return stack.move();
  });
}

/** An image that was named on the command line. */
interface NamedImage {
  readonly source: string;
  readonly image: SourceImage;
}

/** The parts that run whatever images there are. */
interface Machine {
  readonly core: Core;
  /** Where people look at it. */
  readonly url: string;
  readonly webhook: { readonly url: string; readonly authority: string };
  readonly agentClient: CoreClient;
  readonly config: Config;
  readonly log: Log;
}

async function startMachine(
  config: Config,
  log: Log,
  signal: AbortSignal,
  stack: AsyncDisposableStack,
): Promise<Machine> {
  const began = performance.now();
  const postgres = stack.use(await startEmbeddedPostgres(join(config.dataFolder, 'postgres')));
  say('store', `PostgreSQL ${postgres.version} in ${config.dataFolder} (${seconds(began)})`);
  const certificate = stack.use(
    await ensureLocalCertificates(join(config.dataFolder, 'certificates'), ['localhost', '127.0.0.1'], log),
  );
  const [agentToken = '', webhookToken = ''] = [1, 2].map(() => randomBytes(32).toString('hex'));
  const cluster = 'local';
  const core = stack.use(
    await startCore(
      {
        database: { connectionString: postgres.url },
        feeds: config.feeds,
        feedsEvery: config.feedsEvery,
        grpcListen: LOOPBACK_ANY_PORT,
        httpListen: config.httpListen,
        opsListen: LOOPBACK_ANY_PORT,
        workers: 2,
        certificate,
        httpIsLocal: true,
        authorities: [
          fixedTokens(
            new Map([
              [agentToken, { role: 'agent', cluster, node: hostname() }],
              [webhookToken, { role: 'webhook', cluster }],
            ]),
          ),
        ],
        log,
      },
      signal,
    ),
  );
  const url = `http://${config.httpListen.host}:${core.httpPort}/api/v1/images`;
  say('core', url);
  const client = (token: string): CoreClient =>
    stack.use(
      new CoreClient(
        {
          address: `localhost:${core.grpcPort}`,
          authority: renewedFile(certificate.bundleFile),
          token: async () => token,
        },
        log,
      ),
    );
  const webhook = stack.use(
    await startWebhook({
      listen: config.webhookListen,
      opsListen: LOOPBACK_ANY_PORT,
      bundle: defaultBundle,
      source: { core: client(webhookToken), cacheFolder: join(config.dataFolder, 'webhook') },
      cacheBytes: WEBHOOK_CACHE_BYTES,
      certificate,
      namespaces: noNamespaces,
      defaults: { mode: config.mode, unknown: config.unknown },
      cluster,
      drain: 0,
      log,
    }),
  );
  const webhookUrl = `https://${config.webhookListen.host}:${webhook.port}`;
  say('webhook', `${webhookUrl} (mode ${config.mode})`);
  return {
    core,
    url,
    webhook: { url: webhookUrl, authority: certificate.bundleFile },
    agentClient: client(agentToken),
    config,
    log,
  };
}

/** Starts an agent on all runtimes that answer, and reads the images that were named. */
async function readImages(
  { agentClient: core, config, log }: Machine,
  named: readonly NamedImage[],
  signal: AbortSignal,
  stack: AsyncDisposableStack,
): Promise<void> {
  const metrics = createAgentMetrics();
  const runtimes = await findRuntimes(config, log);
  for (const runtime of runtimes) {
    const { images, containers } = await stack.use(runtime).inventory(signal);
    const running = containers.filter((container) => container.running).length;
    say(
      'runtime',
      `${runtime.title}: ${counted(images.length, 'image')}, ${counted(running, 'running container')}`,
    );
  }
  if (runtimes.length > 0) {
    const runtime = joinRuntimes(runtimes, log);
    const agent = startAgent({ runtime, core, metrics, log, relist: RELIST_MS, facts: FACTS_PLAN });
    await stack.use(agent).firstLook;
  }
  if (runtimes.length === 0) {
    say(
      'runtime',
      named.length > 0
        ? 'none answers; reading the images named'
        : 'none answers, and no image is named: try docker-archive:FILE',
    );
  }
  for (const { source, image } of named) {
    const began = performance.now();
    const { digest } = await bringSourceImage({ core, metrics, log }, image, signal);
    say('image', `${source} is ${digest} (read in ${seconds(began)})`);
  }
}

async function findRuntimes(config: Config, log: Log): Promise<readonly Runtime[]> {
  try {
    return await connectRuntimes({ ...config, podUid: '' }, log);
  } catch (error) {
    if (error instanceof CodedError && error.code === 'no_runtime') return [];
    throw error;
  }
}

/** What a kind of job is, to those who wait for it. */
const waitsFor: Readonly<Record<JobName, string>> = {
  'import-feeds': 'advisories to be imported',
  'compose-image': 'images to be put together',
  'give-up-image': 'images to be given up',
  'rematch-packages': 'packages to be looked up',
  'judge-images': 'images to be judged',
};

/** Waits until everything so far is matched and judged, and says which feeds came in and what takes long. */
async function untilSettled(core: Core, signal: AbortSignal): Promise<void> {
  const said = new Set<string>();
  const { app } = core;
  let spoke = performance.now();
  const sayOnce = (what: string, line: string): void => {
    if (said.has(line)) return;
    say(what, line);
    said.add(line);
    spoke = performance.now();
  };
  for (;;) {
    const pending = await app.jobs.pending(app.database);
    for (const { name, records, asOf, importedAt, problem } of await listFeeds(app)) {
      if (importedAt === null && problem === null) continue;
      const line =
        problem ?? `${records.toLocaleString('en')} records as of ${asOf?.toISOString().slice(0, 10)}`;
      sayOnce('feed', `${name}: ${line}`);
    }
    if (pending.length === 0) return;
    if (performance.now() - spoke > SILENCE_MS) {
      sayOnce('waiting', `for ${pending.map((name) => waitsFor[name]).join(' and ')}`);
    }
    await delay(LOOK_EVERY_MS, undefined, { signal });
  }
}

function seconds(since: number): string {
  return `${((performance.now() - since) / 1000).toFixed(1)} s`;
}
