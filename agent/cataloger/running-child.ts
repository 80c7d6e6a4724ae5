import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import path from 'node:path';
import type { Readable, Writable } from 'node:stream';
import type { Log } from '@gatehouse/lib/log.ts';
import {
  type Cataloger,
  type Examined,
  type FileParts,
  type LayerBlob,
  SbomError,
  sbomErrorCodes,
} from '@gatehouse/sbom';
import { AgentError } from '../errors.ts';
import { drained, type Frame, readFrames, writeFrame } from './frames.ts';
import type { Pace } from './pace.ts';

const MAX_HEAP_MEGABYTES = 192;
/** What a layer leaves behind is collected early: an archive of 819 MB took 114 MB this way, and 174 without. */
const MAX_YOUNG_MEGABYTES = 1;
const LOOK_EVERY_MS = 100;
/** A process that was killed is gone within milliseconds; an agent that ends does not wait for one that was not. */
const END_MS = 2_000;
/** The pace is looked at this often: less often would be felt, more often costs itself. */
const BYTES_PER_STEP = 1024 * 1024;
/** Of proc(5), for all that Linux runs on. */
const TICKS_PER_SECOND = 100;
/** Nobody: the user of distroless images, who owns nothing. */
const NOBODY = 65_532;

const child = path.join(import.meta.dirname, 'child.ts');
/** All that the process may read: its own code. */
const code = path.resolve(import.meta.dirname, '..', '..');

/** What one layer may take. */
export interface Limits {
  readonly memoryBytes: number;
  readonly layerMs: number;
}

/** The process, from its start to its end. */
export class RunningChild {
  readonly #log: Log;
  readonly #process: ChildProcess;
  readonly #limits: Limits;
  readonly #pace: Pace | undefined;
  readonly #to: Writable;
  readonly #from: Readable;
  readonly #examinations = new Map<number, PromiseWithResolvers<Examined>>();
  readonly #ended = Promise.withResolvers<never>();
  #next = 0;
  #blob: BlobWork | undefined;
  #death: string | undefined;

  constructor(log: Log, limits: Limits, pace: Pace | undefined) {
    this.#log = log;
    this.#limits = limits;
    this.#pace = pace;
    const asRoot = process.getuid?.() === 0;
    this.#process = spawn(
      process.execPath,
      [
        ...['--permission', `--allow-fs-read=${code}`, '--disable-warning=ExperimentalWarning'],
        ...[`--max-old-space-size=${MAX_HEAP_MEGABYTES}`, `--max-semi-space-size=${MAX_YOUNG_MEGABYTES}`],
        child,
      ],
      {
        stdio: ['pipe', 'pipe', 'pipe'],
        cwd: '/',
        // glibc would keep freed memory for each thread apart.
        env: { MALLOC_ARENA_MAX: '1' },
        ...(asRoot && { uid: NOBODY, gid: NOBODY }),
      },
    );
    const { stdin, stdout, stderr } = this.#process;
    if (!stdin || !stdout || !stderr) throw new Error('a process without pipes');
    this.#to = stdin;
    this.#from = stdout;
    this.#ended.promise.catch(() => undefined);
    // What it does not read any more when it dies is of no interest; that it died is.
    stdin.on('error', () => undefined);
    let said = '';
    stderr.on('data', (chunk: Buffer) => {
      said = (said + chunk.toString('utf8')).slice(-MAX_SAID);
    });
    this.#process.on('error', (error) => this.#die(error.message));
    this.#process.on('exit', (status, signal) => {
      if (said) log.debug({ said }, 'the cataloger said');
      this.#die(`it ended with ${signal ?? status}`);
    });
    void this.#receive();
  }

  get #hasEnded(): boolean {
    const { pid, exitCode, signalCode } = this.#process;
    return pid === undefined || exitCode !== null || signalCode !== null;
  }

  get isDead(): boolean {
    return this.#death !== undefined;
  }

  /** Why the work failed: of the process's end if it ended, else of itself. */
  deathOf(error: unknown): unknown {
    if (this.#death === undefined) return error;
    return new AgentError('cataloger_died', `the cataloger of layers died: ${this.#death}`, {
      hint: 'The layer is broken, or made to do this; its images are judged without it.',
    });
  }

  kill(why: string): void {
    this.#death ??= why;
    if (this.#process.kill('SIGKILL') || this.#hasEnded) return;
    // Without the right to do so. One that still reads what it is sent ends at the end of that.
    this.#log.error(
      { pid: this.#process.pid },
      'the process that reads layers cannot be ended: CAP_KILL is missing',
    );
    this.#to.destroy();
    this.#die(why);
  }

  /** Watches the process while the work goes on. */
  async supervised<T>(work: Promise<T>): Promise<T> {
    const since = this.#workedMs();
    const looking = setInterval(() => {
      const { layerMs } = this.#limits;
      if (this.#workedMs() - since > layerMs) this.kill(`it took more than ${layerMs} ms`);
      void this.#checkMemory();
    }, LOOK_EVERY_MS);
    try {
      return await Promise.race([work, this.#ended.promise]);
    } finally {
      clearInterval(looking);
    }
  }

  /** Milliseconds since some time, without those that the work was made to wait. */
  #workedMs(): number {
    return performance.now() - (this.#pace?.waitedMs ?? 0);
  }

  /** The processor time that it has taken, in milliseconds; none if it has ended. */
  processorMs(): number {
    try {
      const stat = readFileSync(`/proc/${this.#process.pid}/stat`, 'utf8');
      // Of the fields behind the name, which may have blanks, utime and stime are the 12th and the 13th, proc(5).
      const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
      return ((Number(fields[11]) + Number(fields[12])) * 1000) / TICKS_PER_SECOND;
    } catch {
      return 0;
    }
  }

  examine(cataloger: Cataloger, file: FileParts): Promise<Examined> {
    const id = this.#next++;
    const answer = Promise.withResolvers<Examined>();
    this.#examinations.set(id, answer);
    const { size, hint, pieces, searched } = file;
    const parts = pieces.map(({ start, bytes }) => ({ start, length: bytes.length }));
    writeFrame(
      this.#to,
      'examine',
      { id, cataloger: cataloger.name, hint, size, pieces: parts, searched },
      pieces.map(({ bytes }) => bytes),
    );
    return answer.promise;
  }

  async catalogBlob(source: LayerBlob, diffId: string): Promise<Buffer> {
    const work: BlobWork = {
      source,
      done: Promise.withResolvers<Buffer>(),
      input: undefined,
      failure: undefined,
    };
    this.#blob = work;
    try {
      writeFrame(this.#to, 'blob', { name: source.name, diffId });
      return await work.done.promise;
    } catch (error) {
      throw work.failure ?? error;
    } finally {
      this.#blob = undefined;
      // What is still being sent has to have its end before anything else is.
      work.input?.destroy();
      await work.sending;
    }
  }

  async end(): Promise<void> {
    if (this.#hasEnded) return;
    const ended = once(this.#process, 'exit', { signal: AbortSignal.timeout(END_MS) });
    this.kill('it is not needed any more');
    await ended.catch(() => this.#process.unref());
  }

  async #receive(): Promise<void> {
    try {
      for await (const frame of readFrames(this.#from)) this.#take(frame);
    } catch (error) {
      this.kill(`it said what is not understood: ${error instanceof Error ? error.message : error}`);
    }
  }

  #take({ kind, header, body }: Frame): void {
    if (kind === 'examined') {
      const { id, findings } = header as { id: number; findings?: Examined };
      this.#examinations.get(id)?.resolve(findings);
      this.#examinations.delete(id);
    } else if (kind === 'open') {
      if (this.#blob) this.#blob.sending = this.#send(this.#blob);
    } else if (kind === 'cataloged') {
      this.#blob?.done.resolve(body);
    } else if (kind === 'failed') {
      this.#blob?.done.reject(toSbomError(header));
    } else {
      throw new Error(kind);
    }
  }

  /** Sends the bytes of the layer. Whatever happens they have an end, and the other side says what it made of them. */
  async #send(work: BlobWork): Promise<void> {
    try {
      work.input = work.source.open();
      let unpaced = 0;
      for await (const chunk of work.input as AsyncIterable<Buffer>) {
        writeFrame(this.#to, 'chunk', {}, [chunk]);
        await drained(this.#to);
        unpaced += chunk.length;
        if (unpaced < BYTES_PER_STEP) continue;
        await this.#pace?.keep(unpaced);
        unpaced = 0;
      }
    } catch (cause) {
      work.failure = new SbomError('layer_unreadable', `cannot read the layer ${work.source.name}`, {
        cause,
      });
    } finally {
      work.input?.destroy();
      if (!this.isDead) writeFrame(this.#to, 'end', {});
    }
  }

  async #checkMemory(): Promise<void> {
    const { pid } = this.#process;
    const status = await readFile(`/proc/${pid}/status`, 'utf8').catch(() => '');
    const bytes = Number(/^VmRSS:\s*(\d+) kB$/m.exec(status)?.[1] ?? 0) * 1024;
    const { memoryBytes } = this.#limits;
    if (bytes > memoryBytes) this.kill(`it took more than ${memoryBytes} bytes of memory`);
  }

  #die(why: string): void {
    this.#death ??= why;
    this.#ended.reject(new Error(this.#death));
    for (const { reject } of this.#examinations.values()) reject(new Error(this.#death));
    this.#blob?.done.reject(new Error(this.#death));
    this.#blob?.input?.destroy();
  }
}

/** A layer that is being read from its archive. */
interface BlobWork {
  readonly source: LayerBlob;
  readonly done: PromiseWithResolvers<Buffer>;
  input: Readable | undefined;
  /** Why its bytes could not be had. */
  failure: SbomError | undefined;
  sending?: Promise<void>;
}

/** Enough for what a crash prints. */
const MAX_SAID = 4096;

/** What it says went wrong with a layer; it may say anything. */
function toSbomError(header: Readonly<Record<string, unknown>>): SbomError {
  const code = Object.keys(sbomErrorCodes).find((each) => each === header.code) as
    | keyof typeof sbomErrorCodes
    | undefined;
  return new SbomError(code ?? 'layer_corrupt', String(header.message).slice(0, MAX_SAID));
}
