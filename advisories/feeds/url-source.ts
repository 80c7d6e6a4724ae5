import { createHash } from 'node:crypto';
import { type FileHandle, mkdtemp, open, rm } from 'node:fs/promises';
import { get as getByHttp, type IncomingMessage, type RequestOptions } from 'node:http';
import { get as getByHttps } from 'node:https';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { ecosystemNames } from '../ecosystems/table.ts';
import { AdvisoryError } from '../errors.ts';
import { type FeedSource, MAX_FEED_BYTES, tooLarge } from './source.ts';

/** How long a server may take, in milliseconds. */
export interface Patience {
  /** For connecting, for the first byte and for each further one. */
  readonly stall: number;
  /** For a whole file. */
  readonly whole: number;
}

/** A mirror that stalls is given up soon; a slow line of 1 MB/s still brings the largest feed in time. */
const defaultPatience: Patience = { stall: 30_000, whole: 20 * 60_000 };

type Opened = Awaited<ReturnType<FeedSource['open']>>;

/** Feeds below an http or https URL; which of them are there shows only when they are asked for. */
export function urlSource(base: URL, patience: Patience = defaultPatience): FeedSource {
  const folder = new URL(base);
  if (!folder.pathname.endsWith('/')) folder.pathname += '/';
  return {
    ecosystems: ecosystemNames,
    async open(path, known, signal) {
      const url = new URL(path, folder);
      const ends = [AbortSignal.timeout(patience.whole), ...(signal ? [signal] : [])];
      try {
        return await download(url, known, patience.stall, AbortSignal.any(ends));
      } catch (cause) {
        signal?.throwIfAborted();
        if (cause instanceof AdvisoryError) throw cause;
        throw new AdvisoryError('feed_unreachable', `cannot read the feed ${url.href}`, {
          cause,
          hint: 'Check that the server can be reached from here and has the feeds as <Ecosystem>/all.zip.',
        });
      }
    },
  };
}

async function download(
  url: URL,
  known: string | undefined,
  stallMs: number,
  signal: AbortSignal,
): Promise<Opened> {
  const stalled = new AbortController();
  const watchdog = setTimeout(() => stalled.abort(new Error(`no data for ${stallMs} ms`)), stallMs);
  const ended = AbortSignal.any([signal, stalled.signal]);
  try {
    const response = await follow(url, { headers: conditionFor(known), signal: ended });
    try {
      const state = stateOf(response, known);
      return state === 'ready' ? await store(response, url, known, () => watchdog.refresh()) : state;
    } finally {
      response.destroy();
    }
  } catch (error) {
    // The request only says that it was aborted.
    throw ended.aborted ? ended.reason : error;
  } finally {
    clearTimeout(watchdog);
  }
}

/** Mirrors point to where files lie, and that may point further once or twice. */
const MAX_REDIRECTS = 5;

/**
 * The answer, from wherever the server points to. Not by fetch: undici, which is Node's own, throws
 * `assert(!this.paused)` where nobody can catch it when a server closes the connection, as plain ones do to say the
 * end, before we have read what came (seen with 7.29.1 and 8.12.4).
 */
async function follow(url: URL, options: RequestOptions): Promise<IncomingMessage> {
  let place = url;
  for (let redirects = 0; redirects <= MAX_REDIRECTS; redirects++) {
    const response = await request(place, options);
    const { location } = response.headers;
    const isRedirect = [301, 302, 303, 307, 308].includes(response.statusCode ?? 0) && location;
    if (!isRedirect) return response;
    response.destroy();
    const next = new URL(location, place);
    if (next.protocol !== 'https:' && next.protocol !== place.protocol) {
      throw new Error(`the server points to ${next.protocol} from ${place.protocol}`);
    }
    place = next;
  }
  throw new Error(`the server points elsewhere more than ${MAX_REDIRECTS} times`);
}

function request(url: URL, options: RequestOptions): Promise<IncomingMessage> {
  const get = url.protocol === 'https:' ? getByHttps : getByHttp;
  return new Promise((resolve, reject) => {
    get(url, options, resolve).on('error', reject);
  });
}

/** What identifies the content of an answer, and how to ask for it only if that has changed (RFC 9110, section 13). */
const validators = [
  { label: 'etag ', header: 'etag', condition: 'if-none-match' },
  { label: 'date ', header: 'last-modified', condition: 'if-modified-since' },
] as const;

function conditionFor(known: string | undefined): Record<string, string> {
  const validator = validators.find(({ label }) => known?.startsWith(label));
  return validator && known ? { [validator.condition]: known.slice(validator.label.length) } : {};
}

function fingerprintOf({ headers }: IncomingMessage): string | undefined {
  for (const { label, header } of validators) {
    const value = headers[header];
    if (value !== undefined) return label + value;
  }
  return undefined;
}

function stateOf(response: IncomingMessage, known: string | undefined): 'ready' | 'unchanged' | 'absent' {
  const { statusCode } = response;
  if (statusCode === 304) return 'unchanged';
  if (statusCode === 404) return 'absent';
  if (statusCode !== 200) throw new Error(`the server answered with status ${statusCode}`);
  // Some servers give validators but do not heed conditions.
  return known !== undefined && fingerprintOf(response) === known ? 'unchanged' : 'ready';
}

async function store(
  response: IncomingMessage,
  url: URL,
  known: string | undefined,
  onProgress: () => void,
): Promise<Opened> {
  await using cleanup = new AsyncDisposableStack();
  const handle = cleanup.use(await openNameless());
  const contentHash = await writeBody(response, url, handle, onProgress);
  const fingerprint = fingerprintOf(response) ?? `sha256 ${contentHash}`;
  if (fingerprint === known) return 'unchanged';
  const lastModified = Date.parse(response.headers['last-modified'] ?? '');
  const kept = cleanup.move();
  return {
    handle,
    name: url.href,
    fingerprint,
    date: new Date(Number.isNaN(lastModified) ? Date.now() : lastModified).toISOString(),
    [Symbol.asyncDispose]: () => kept.disposeAsync(),
  };
}

/** The file loses its name before its first byte is written, so nothing is left behind however the process ends. */
async function openNameless(): Promise<FileHandle> {
  const folder = await mkdtemp(join(tmpdir(), 'gatehouse-feed-'));
  try {
    return await open(join(folder, 'feed'), 'wx+', 0o600);
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

/** Gives the SHA-256 of what was written. */
async function writeBody(
  response: IncomingMessage,
  url: URL,
  handle: FileHandle,
  onProgress: () => void,
): Promise<string> {
  const hash = createHash('sha256');
  let received = 0;
  for await (const chunk of response as AsyncIterable<Buffer>) {
    onProgress();
    received += chunk.length;
    if (received > MAX_FEED_BYTES) throw tooLarge(url.href, `more than ${MAX_FEED_BYTES} bytes`);
    hash.update(chunk);
    await handle.appendFile(chunk);
  }
  return hash.digest('hex');
}
