import { explain } from './errors.ts';
import { OptionError } from './options.ts';

/**
 * Runs a component until SIGTERM or SIGINT, then stops it. `start` gets a signal that aborts if the end comes
 * while it still starts; to break off for that is no failure. A second signal ends the process at once.
 */
export async function runUntilSignal(
  start: (signal: AbortSignal) => Promise<AsyncDisposable>,
): Promise<void> {
  const ending = new AbortController();
  const ended = new Promise<void>((resolve) => {
    const end = (): void => {
      if (ending.signal.aborted) process.exit(130);
      ending.abort();
      resolve();
    };
    process.on('SIGTERM', end);
    process.on('SIGINT', end);
  });
  let component: AsyncDisposable;
  try {
    component = await start(ending.signal);
  } catch (error) {
    if (ending.signal.aborted && error instanceof Error && error.name === 'AbortError') return;
    throw error;
  }
  await ended;
  await component[Symbol.asyncDispose]();
}

/** How shells know those that a signal ended. */
const interrupted = { SIGINT: 130, SIGTERM: 143 } as const;

/** Runs work that comes to an end by itself; a signal breaks it off, without a word. A second one does not wait. */
export async function runUntilDone(work: (signal: AbortSignal) => Promise<void>): Promise<void> {
  const ending = new AbortController();
  let code = 0;
  for (const name of ['SIGINT', 'SIGTERM'] as const) {
    process.once(name, () => {
      code = interrupted[name];
      ending.abort();
    });
  }
  try {
    await work(ending.signal);
  } catch (error) {
    if (!ending.signal.aborted) throw error;
    process.exit(code);
  }
}

/** What a shell says of those that SIGPIPE ends; Node.js ignores it, and gets the error of the call instead. */
const NOBODY_READS = 141;

/** Runs a command by the arguments of the process. */
export async function runCommand(main: (argv: readonly string[]) => Promise<void>): Promise<void> {
  process.stdout.on('error', (cause: NodeJS.ErrnoException) => {
    // Such as `head`, which has read as much as it wants.
    if (cause.code === 'EPIPE') process.exit(NOBODY_READS);
    exitWith(new Error('what was found cannot be written', { cause }));
  });
  // There is nobody left to tell.
  process.stderr.on('error', () => undefined);
  try {
    await main(process.argv.slice(2));
  } catch (error) {
    exitWith(error);
  }
}

/** Ends a command that failed: the reason on stderr, exit 2 for wrong use and 1 for everything else. */
export function exitWith(error: unknown): never {
  process.stderr.write(`gatehouse: ${explain(error)}\n`);
  process.exit(error instanceof OptionError ? 2 : 1);
}
