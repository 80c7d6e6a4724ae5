import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { constants } from 'node:os';
import { text } from 'node:stream/consumers';
import { HarnessError } from './errors.ts';

export interface Result {
  readonly stdout: string;
  readonly stderr: string;
  /** The exit code; 128 and the signal's number where a signal ended the command, as a shell says it. */
  readonly code: number;
}

export interface RunOptions {
  readonly input?: string;
  readonly cwd?: string;
  readonly env?: Readonly<Record<string, string>>;
}

/** An error quotes this many last lines: enough for a reason and what led to it, not for a stack of every thread. */
const MAX_QUOTED_LINES = 15;

export function lastLines(output: string): string {
  return output.trimEnd().split('\n').slice(-MAX_QUOTED_LINES).join('\n');
}

/** Runs a command to its end, whatever the end is; throws HarnessError where the command cannot be started. */
export async function run(argv: readonly string[], options: RunOptions = {}): Promise<Result> {
  const [program = '', ...args] = argv;
  const child = spawn(program, args, {
    cwd: options.cwd,
    env: { ...process.env, ...options.env },
    stdio: 'pipe',
  });
  // A command may end before it has read its input; its exit code says what that means.
  child.stdin.on('error', () => undefined);
  child.stdin.end(options.input ?? '');
  try {
    const [stdout, stderr] = await Promise.all([
      text(child.stdout),
      text(child.stderr),
      once(child, 'close'),
    ]);
    const code = child.exitCode ?? 128 + constants.signals[child.signalCode ?? 'SIGKILL'];
    return { stdout, stderr, code };
  } catch (cause) {
    throw new HarnessError('command_failed', `cannot start ${program}`, { cause });
  }
}

/** Runs a command that has to succeed, and gives what it printed. */
export async function runOk(argv: readonly string[], options: RunOptions = {}): Promise<string> {
  const { stdout, stderr, code } = await run(argv, options);
  if (code === 0) return stdout;
  throw new HarnessError(
    'command_failed',
    `'${argv.join(' ')}' ended with ${code}: ${lastLines(stderr || stdout)}`,
  );
}

/** Says what takes long, since whoever waits for a test sees nothing else. */
export function progress(message: string): void {
  process.stderr.write(`gatehouse: ${message}\n`);
}
