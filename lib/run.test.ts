import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';

let folder: string;
const processes: ChildProcess[] = [];
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'gatehouse-run-'));
});
afterEach(() => {
  for (const process of processes.splice(0)) process.kill('SIGKILL');
});
afterAll(() => rm(folder, { recursive: true, force: true }));

interface Program {
  readonly process: ChildProcess;
  /** Resolves when the program has printed the word. */
  said(word: string): Promise<void>;
  /** How it ended, and all that it printed. */
  readonly ended: Promise<{ code: number | null; stdout: string; stderr: string }>;
}

const href = (file: string): string => JSON.stringify(new URL(file, import.meta.url).href);

/** A program of these lines, which have `say` for a word on stdout. */
async function program(code: string, ...args: readonly string[]): Promise<Program> {
  const path = join(folder, 'program.ts');
  const source = `import { runCommand, runUntilDone, runUntilSignal } from ${href('run.ts')};
    import { OptionError } from ${href('options.ts')};
    const say = (word: string) => process.stdout.write(word + '\\n');
    ${code}`;
  await writeFile(path, source);
  const child = spawn(process.execPath, [path, ...args], { stdio: ['ignore', 'pipe', 'pipe'] });
  processes.push(child);
  let stdout = '';
  child.stdout.on('data', (data: Buffer) => {
    stdout += data.toString();
  });
  const ended = Promise.all([once(child, 'close'), text(child.stderr)]).then(([[code], stderr]) => ({
    code: code as number | null,
    stdout,
    stderr,
  }));
  return {
    process: child,
    ended,
    async said(word) {
      while (!stdout.split('\n').includes(word)) {
        const over = ended.then((end) => Promise.reject(new Error(`it never said ${word}: ${end.stderr}`)));
        await Promise.race([once(child.stdout, 'data'), over]);
      }
    },
  };
}

const lastingWork = 'const work = setInterval(() => undefined, 60_000);';
const component = `{ async [Symbol.asyncDispose]() { say('disposed'); clearInterval(work); } }`;

describe('a component', () => {
  it.each(['SIGTERM', 'SIGINT'] as const)('runs until %s, is disposed of, and ends well', async (signal) => {
    const { process, said, ended } = await program(`${lastingWork}
      await runUntilSignal(async () => { setImmediate(say, 'started'); return ${component}; });
      say('over');`);
    await said('started');
    process.kill(signal);
    expect(await ended).toEqual({ code: 0, stdout: 'started\ndisposed\nover\n', stderr: '' });
  });

  it('that still starts is told that the end has come, and is disposed of if it started all the same', async () => {
    const { process, said, ended } = await program(`${lastingWork}
      await runUntilSignal(async (signal) => {
        say('starting');
        await new Promise((resolve) => signal.addEventListener('abort', resolve));
        return ${component};
      });`);
    await said('starting');
    process.kill('SIGTERM');
    expect(await ended).toEqual({ code: 0, stdout: 'starting\ndisposed\n', stderr: '' });
  });

  it('that breaks its start off because it was told to has not failed', async () => {
    const { process, said, ended } = await program(`
      import { setTimeout as delay } from 'node:timers/promises';
      await runCommand(() => runUntilSignal(async (signal) => {
        setImmediate(say, 'starting');
        await delay(60_000, undefined, { signal });
        throw new Error('never');
      }));`);
    await said('starting');
    process.kill('SIGTERM');
    expect(await ended).toEqual({ code: 0, stdout: 'starting\n', stderr: '' });
  });

  it('that fails while it is told to end has failed', async () => {
    const { process, said, ended } = await program(`${lastingWork}
      await runCommand(() => runUntilSignal(async (signal) => {
        say('starting');
        await new Promise((resolve) => signal.addEventListener('abort', resolve));
        throw new Error('the store is broken');
      }));`);
    await said('starting');
    process.kill('SIGTERM');
    expect(await ended).toMatchObject({ code: 1, stderr: 'gatehouse: the store is broken\n' });
  });

  it('that fails to start ends the command without a signal', async () => {
    const { ended } = await program(`${lastingWork}
      await runCommand(() => runUntilSignal(() => Promise.reject(new Error('no store'))));`);
    expect(await ended).toEqual({ code: 1, stdout: '', stderr: 'gatehouse: no store\n' });
  });

  it('that does not come to its end is ended by a second signal', async () => {
    const { process, said, ended } = await program(`${lastingWork}
      await runUntilSignal(async () => {
        setImmediate(say, 'started');
        return { [Symbol.asyncDispose]() { say('disposing'); return new Promise(() => undefined); } };
      });`);
    await said('started');
    process.kill('SIGTERM');
    await said('disposing');
    process.kill('SIGINT');
    expect(await ended).toMatchObject({ code: 130, stdout: 'started\ndisposing\n' });
  });
});

describe('a command', () => {
  it('gets the arguments of its process', async () => {
    const { ended } = await program('await runCommand(async (argv) => { say(argv.join()); });', '--a', 'b c');
    expect(await ended).toEqual({ code: 0, stdout: '--a,b c\n', stderr: '' });
  });

  it.each([
    ['2 for wrong use', `new OptionError('option_missing', 'no store', { hint: 'Give --database.' })`, 2],
    ['1 for everything else', `new Error('no store. Give --database.')`, 1],
    ['1 for what is no error', `'no store. Give --database.'`, 1],
  ])('that fails ends with %s, and a line on stderr that says why', async (_what, error, code) => {
    const { ended } = await program(`await runCommand(async () => { throw ${error}; });`);
    expect(await ended).toEqual({ code, stdout: '', stderr: 'gatehouse: no store. Give --database.\n' });
  });

  it.each([
    ['SIGINT', 130],
    ['SIGTERM', 143],
  ] as const)('that is broken off by %s tidies up, and ends with %i without a word', async (name, code) => {
    const { process, said, ended } = await program(`${lastingWork}
      await runCommand(() => runUntilDone(async (signal) => {
        await using _tidied = { async [Symbol.asyncDispose]() { say('tidied'); } };
        say('working');
        await new Promise((_, reject) => signal.addEventListener('abort', () => reject(signal.reason)));
      }));`);
    await said('working');
    process.kill(name);
    expect(await ended).toEqual({ code, stdout: 'working\ntidied\n', stderr: '' });
  });

  it('ends without a word, as other tools do, when nobody reads on what it prints', async () => {
    const { process, said, ended } = await program(`${lastingWork}
      await runCommand(async () => { say('first'); setInterval(() => say('more'), 1); });`);
    await said('first');
    process.stdout?.destroy();
    expect(await ended).toMatchObject({ code: 141, stderr: '' });
  });

  it('says in a line why what it prints cannot be written', async () => {
    await writeFile(
      join(folder, 'full.ts'),
      `import { runCommand } from ${href('run.ts')};
      await runCommand(async () => { process.stdout.write('found'); });`,
    );
    const command = `"${process.execPath}" "${join(folder, 'full.ts')}" > /dev/full`;
    const child = spawn('sh', ['-c', command], { stdio: ['ignore', 'ignore', 'pipe'] });
    processes.push(child);
    const [[code], stderr] = await Promise.all([once(child, 'close'), text(child.stderr)]);
    expect({ code, stderr }).toEqual({
      code: 1,
      stderr: 'gatehouse: what was found cannot be written: ENOSPC: no space left on device, write\n',
    });
  });
});
