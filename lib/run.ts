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

/** Runs a command by the arguments of the process. */
export async function runCommand(main: (argv: readonly string[]) => Promise<void>): Promise<void> {
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
