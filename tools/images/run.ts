import { execFile } from 'node:child_process';
import { promisify } from 'node:util';

const execute = promisify(execFile);

/** npm and mmdebstrap say something of each package, which is shown where they fail. */
const MAX_OUTPUT_BYTES = 16 * 1024 * 1024;

/** Runs a command that has to succeed, with nothing but Node.js: Containerfiles have no packages yet when they do it. */
export async function run(
  [program = '', ...args]: readonly string[],
  options: { readonly cwd?: string; readonly env?: Readonly<Record<string, string>> } = {},
): Promise<void> {
  const env = { ...process.env, ...options.env };
  await execute(program, args, { ...options, env, maxBuffer: MAX_OUTPUT_BYTES });
}
