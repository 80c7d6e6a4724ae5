import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdir, open, readFile } from 'node:fs/promises';
import path from 'node:path';
import { explain } from '@gatehouse/lib/errors.ts';
import { HarnessError } from './errors.ts';
import { lastLines } from './process.ts';
import { eventually } from './wait.ts';

/** Where components run. */
export interface Place {
  /** The words in front of a component's own command line. */
  readonly prefix: readonly string[];
  /** The prefix stays as parent of the component and does not pass signals on. */
  readonly forks: boolean;
}

export interface ComponentSpec {
  readonly name: string;
  readonly argv: readonly string[];
  readonly env?: Readonly<Record<string, string>>;
  /** Throws as long as the component does not serve; without it, a component counts as serving from its start. */
  readonly ready?: () => Promise<unknown>;
  /** What asks it to end, if not SIGTERM. */
  readonly stopSignal?: NodeJS.Signals;
}

/** On two busy cores an API server took 12 s; five times that is a fault. */
const READY_TIMEOUT_MS = 60_000;

/** Components end within a second or two when asked; what has not ended by then hangs, and is killed. */
const STOP_TIMEOUT_MS = 10_000;

/** A server of a cluster: a child process in the background with both outputs in a log file. */
export class Component {
  readonly #spec: ComponentSpec;
  readonly #place: Place;
  readonly #logFile: string;
  readonly #child: ChildProcess;
  readonly #ended = new AbortController();

  private constructor(spec: ComponentSpec, place: Place, logFile: string, child: ChildProcess) {
    this.#spec = spec;
    this.#place = place;
    this.#logFile = logFile;
    this.#child = child;
    child.once('exit', (code, signal) => this.#ended.abort(new Error(`it ended with ${code ?? signal}`)));
  }

  /** Starts a component in `folder`, its log below `logs/`, and waits until it serves. */
  static async start(spec: ComponentSpec, place: Place, folder: string): Promise<Component> {
    const logFile = path.join(folder, 'logs', `${spec.name}.log`);
    await mkdir(path.dirname(logFile), { recursive: true });
    await using log = await open(logFile, 'a');
    const [program = '', ...args] = [...place.prefix, ...spec.argv];
    const child = spawn(program, args, {
      cwd: folder,
      env: { ...process.env, ...spec.env },
      stdio: ['ignore', log.fd, log.fd],
      // A session of its own: an interrupt at the terminal ends the harness, which ends its components in order.
      detached: true,
    });
    try {
      await once(child, 'spawn');
    } catch (cause) {
      throw new HarnessError('component_failed', `${spec.name} cannot be started`, { cause });
    }
    const component = new Component(spec, place, logFile, child);
    await component.#untilReady();
    return component;
  }

  /** Asks the component to end in order, and waits for its end. */
  async stop(): Promise<void> {
    await this.#signal(this.#spec.stopSignal ?? 'SIGTERM');
    await this.#untilEnded().catch(() => this.kill());
  }

  /** Ends the component at once: as a fault, or where all that it keeps is thrown away. */
  async kill(): Promise<void> {
    await this.#signal('SIGKILL');
    await this.#untilEnded();
  }

  /** The process itself, as the host numbers it. */
  async pid(): Promise<number> {
    const { pid } = this.#child;
    if (pid === undefined || this.#ended.signal.aborted) {
      throw new HarnessError('component_failed', `${this.#spec.name} does not run`, {
        cause: this.#ended.signal.reason,
      });
    }
    if (!this.#place.forks) return pid;
    const children = await readFile(`/proc/${pid}/task/${pid}/children`, 'utf8').catch(() => '');
    return Number.parseInt(children, 10) || pid;
  }

  async #signal(signal: NodeJS.Signals): Promise<void> {
    if (this.#ended.signal.aborted) return;
    const pid = await this.pid();
    try {
      process.kill(pid, signal);
    } catch (error) {
      // It may come to its end at this very moment.
      if (!(error instanceof Error && 'code' in error && error.code === 'ESRCH')) throw error;
    }
  }

  async #untilReady(): Promise<void> {
    const { ready } = this.#spec;
    if (ready === undefined) return;
    try {
      await eventually(ready, {
        what: `${this.#spec.name} to serve`,
        timeout: READY_TIMEOUT_MS,
        signal: this.#ended.signal,
      });
    } catch (cause) {
      await this.kill();
      const log = lastLines(await readFile(this.#logFile, 'utf8'));
      throw new HarnessError(
        'component_failed',
        `${this.#spec.name} did not start: ${explain(cause)}; its log ends with\n${log}`,
        { cause },
      );
    }
  }

  async #untilEnded(): Promise<void> {
    await eventually(
      () => {
        if (!this.#ended.signal.aborted) throw new Error('it still runs');
      },
      { what: `${this.#spec.name} to end`, timeout: STOP_TIMEOUT_MS },
    );
  }
}
