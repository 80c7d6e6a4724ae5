/**
 * Requests per second and latency of the webhook, in one run with two others: a bare HTTPS server that parses the same
 * reviews, and OPA's own server with the same policy. Prints one JSON line. Needs wrk (Debian package of that name).
 *
 *   node bench/webhook.ts [SECONDS]
 */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { createInterface } from 'node:readline';
import { ensureLocalCertificates } from '@gatehouse/certs';
import { noLog } from '@gatehouse/lib/log.ts';
import { runOk } from '../test/harness/process.ts';
import { need } from '../test/harness/tools.ts';
import { eventually } from '../test/harness/wait.ts';
import { benchImages, benchReview, opaQuery, verdictLines } from './webhook/reviews.ts';

const root = path.resolve(import.meta.dirname, '..');
const VERDICTS = 100_000;
/** Enough that no two reviews within a second are the same, few enough to be held by wrk. */
const REVIEWS = 5_000;
const CONNECTIONS = [1, 8];
/** Each server gets its turn this often, so that a machine that slows down slows all of them. */
const ROUNDS = 3;
const WARM_UP_SECONDS = 2;
const OPA_PORT = 18_181;

interface Figures {
  /** Requests per second. */
  readonly rps: number;
  /** Milliseconds. */
  readonly p50: number;
  readonly p99: number;
}

interface Target {
  readonly name: 'echo' | 'webhook' | 'opa';
  readonly url: string;
  readonly bodies: string;
}

async function main(seconds: number): Promise<void> {
  await using stack = new AsyncDisposableStack();
  const folder = await mkdtemp(path.join(tmpdir(), 'gatehouse-bench-'));
  stack.defer(() => rm(folder, { recursive: true, force: true }));
  const targets = await startTargets(folder, stack);
  const script = path.join(root, 'bench', 'webhook', 'post.lua');
  const { wrk } = await need('wrk', 'curl');
  const measure = async (
    { url, bodies }: Target,
    connections: number,
    duration: number,
  ): Promise<Figures> => {
    const load = [wrk, '--threads', '1', '--connections', `${connections}`, '--duration', `${duration}s`];
    const output = await runOk([...load, '--script', script, url, '--', bodies]);
    const { requests, micros, p50, p99, failed } = JSON.parse(
      output.trim().split('\n').at(-1) ?? '',
    ) as Record<string, number>;
    if (failed !== 0) throw new Error(`${failed} of ${requests} requests to ${url} failed`);
    return { rps: (requests ?? 0) / ((micros ?? 0) / 1e6), p50: (p50 ?? 0) / 1000, p99: (p99 ?? 0) / 1000 };
  };

  const results: Record<string, Record<string, unknown>> = {};
  for (const connections of CONNECTIONS) {
    const rounds: Record<Target['name'], Figures[]> = { echo: [], webhook: [], opa: [] };
    for (const target of targets) await measure(target, connections, WARM_UP_SECONDS);
    for (let round = 0; round < ROUNDS; round++) {
      for (const target of targets) rounds[target.name].push(await measure(target, connections, seconds));
    }
    const echo = median(rounds.echo);
    const webhook = median(rounds.webhook);
    const opa = median(rounds.opa);
    results[connections] = {
      echo,
      webhook,
      opa,
      webhookToEcho: ratio(webhook.rps, echo.rps),
      webhookToOpa: ratio(webhook.rps, opa.rps),
      p99ToEcho: ratio(webhook.p99, echo.p99),
    };
  }
  process.stdout.write(`${JSON.stringify({ bench: 'webhook', verdicts: VERDICTS, connections: results })}\n`);
}

async function startTargets(folder: string, stack: AsyncDisposableStack): Promise<readonly Target[]> {
  const certificate = stack.use(
    await ensureLocalCertificates(path.join(folder, 'tls'), ['localhost', '127.0.0.1'], noLog),
  );
  const { cert, key } = certificate.current();
  const [certFile, keyFile] = [path.join(folder, 'tls.crt'), path.join(folder, 'tls.key')];
  await Promise.all([writeFile(certFile, cert), writeFile(keyFile, key)]);

  const images = benchImages(VERDICTS);
  const verdicts = path.join(folder, 'verdicts.jsonl');
  await writeFile(verdicts, verdictLines(images));
  const reviews = Array.from({ length: REVIEWS }, (_, n) => benchReview(images, n * 13));
  const reviewsFile = await writeLines(folder, 'reviews', reviews);
  const byName = new Map(images.map((image) => [image.name, image]));
  const queriesFile = await writeLines(
    folder,
    'queries',
    reviews.map((review) => opaQuery(byName, review)),
  );

  const node = process.execPath;
  const echo = await startServer(
    [node, path.join(root, 'bench', 'webhook', 'echo-server.ts'), certFile, keyFile],
    stack,
  );
  const flags = [
    '--verdicts',
    verdicts,
    '--mode',
    'enforce',
    '--tls-cert',
    certFile,
    '--tls-key',
    keyFile,
    '--drain',
    '0s',
  ];
  const listen = ['--listen', '127.0.0.1:0', '--ops-listen', '127.0.0.1:0'];
  const webhook = await startServer(
    [node, path.join(root, 'webhook', 'main.ts'), ...flags, ...listen],
    stack,
  );
  const { opa } = await need('opa');
  const tls = ['--tls-cert-file', certFile, '--tls-private-key-file', keyFile];
  const address = ['--addr', `127.0.0.1:${OPA_PORT}`, '--log-level', 'error', '--skip-version-check'];
  startProcess(
    [opa, 'run', '--server', ...address, ...tls, path.join(root, 'policies', 'default', 'decision.rego')],
    stack,
  );
  await eventually(
    () => runOk(['curl', '--silent', '--fail', '--insecure', `https://127.0.0.1:${OPA_PORT}/health`]),
    {
      what: 'OPA to serve',
    },
  );
  return [
    { name: 'echo', url: `https://127.0.0.1:${echo}/validate`, bodies: reviewsFile },
    { name: 'webhook', url: `https://127.0.0.1:${webhook}/validate`, bodies: reviewsFile },
    {
      name: 'opa',
      url: `https://127.0.0.1:${OPA_PORT}/v1/data/gatehouse/admission/decision`,
      bodies: queriesFile,
    },
  ];
}

async function writeLines(folder: string, name: string, lines: readonly object[]): Promise<string> {
  const file = path.join(folder, `${name}.jsonl`);
  await writeFile(file, lines.map((line) => JSON.stringify(line)).join('\n'));
  return file;
}

/** Starts a server that says its port in a line of JSON on stderr; gives the port. */
async function startServer(argv: readonly string[], stack: AsyncDisposableStack): Promise<number> {
  const child = startProcess(argv, stack, 'pipe');
  if (!child.stderr) throw new Error('no stderr');
  const lines = createInterface({ input: child.stderr });
  for await (const line of lines) {
    const { port } = JSON.parse(line) as { port?: number };
    if (port === undefined) continue;
    // Whatever it says from now on is read away, so that it never waits for a reader.
    child.stderr.resume();
    return port;
  }
  throw new Error(`${argv.join(' ')} ended`);
}

function startProcess(
  argv: readonly string[],
  stack: AsyncDisposableStack,
  stderr: 'pipe' | 'ignore' = 'ignore',
): ChildProcess {
  const [program = '', ...args] = argv;
  const child = spawn(program, args, { stdio: ['ignore', 'ignore', stderr] });
  stack.defer(async () => {
    if (child.exitCode !== null) return;
    const ended = once(child, 'exit');
    child.kill('SIGTERM');
    await ended;
  });
  return child;
}

function median(figures: readonly Figures[]): Figures {
  const of = (name: keyof Figures): number =>
    Math.round(
      (figures.map((each) => each[name]).toSorted((a, b) => a - b)[figures.length >> 1] ?? 0) * 1000,
    ) / 1000;
  return { rps: Math.round(of('rps')), p50: of('p50'), p99: of('p99') };
}

const ratio = (a: number, b: number): number => Math.round((a / b) * 100) / 100;

await main(Number(process.argv[2] ?? 5));
