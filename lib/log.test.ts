import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { text } from 'node:stream/consumers';
import { describe, expect, it } from 'vitest';
import { CodedError } from './errors.ts';
import { createLog, type LogLevel, logLevels, noLog } from './log.ts';

class TestError extends CodedError<'lost'> {}

type Line = Readonly<Record<string, unknown>>;
const linesOf = (written: string): Line[] =>
  written
    .trimEnd()
    .split('\n')
    .filter(Boolean)
    .map((line) => JSON.parse(line) as Line);

function logInMemory(level: LogLevel) {
  let written = '';
  const log = createLog('core', level, {
    write: (line) => {
      written += line;
    },
  });
  return { log, lines: () => linesOf(written) };
}

describe('a log', () => {
  it('is one JSON object a line, with component, level by name, time and message', () => {
    const { log, lines } = logInMemory('info');
    log.info({ image: 'app:1\nand\u2028more' }, 'image found');
    log.warn('odd');
    expect(lines()).toEqual([
      {
        level: 'info',
        time: expect.stringMatching(/^\d{4}-\d\d-\d\dT[\d:.]+Z$/),
        component: 'core',
        image: 'app:1\nand\u2028more',
        msg: 'image found',
      },
      expect.objectContaining({ level: 'warn', msg: 'odd' }),
    ]);
  });

  it('says of an error that has a code that, its hint and what caused it', () => {
    const { log, lines } = logInMemory('info');
    const cause = new Error('no such file');
    log.error({ err: new TestError('lost', 'cannot read', { cause, hint: 'Give another.' }) }, 'failed');
    expect(lines()).toEqual([
      expect.objectContaining({
        err: expect.objectContaining({
          type: 'TestError',
          code: 'lost',
          hint: 'Give another.',
          message: expect.stringContaining('no such file'),
        }),
      }),
    ]);
    expect(lines()[0]?.err).not.toHaveProperty('stack');
  });

  it('says of any other error where it was thrown', () => {
    const { log, lines } = logInMemory('info');
    log.error({ err: new Error('odd') }, 'failed');
    expect(lines()[0]?.err).toMatchObject({ message: 'odd', stack: expect.stringContaining('log.test.ts') });
  });

  it.each(logLevels)('of level %s holds that level and what is graver, and nothing else', (level) => {
    const { log, lines } = logInMemory(level);
    const levels = logLevels.filter((each) => each !== 'silent');
    for (const each of levels) log[each]('said');
    expect(lines().map((line) => line.level)).toEqual(logLevels.slice(logLevels.indexOf(level), -1));
  });

  it('for those who have none says nothing', () => {
    expect(logLevels.filter((level) => level !== 'silent' && noLog.isLevelEnabled(level))).toEqual([]);
  });
});

/** A process with a log as components have it; nobody reads its stderr until somebody asks for it. */
function logging(code: string) {
  const source = `import { createLog } from ${JSON.stringify(new URL('log.ts', import.meta.url).href)};
    const log = createLog('test', 'info');
    ${code}`;
  return spawn(process.execPath, ['--input-type=module', '--eval', source], {
    stdio: ['ignore', 'pipe', 'pipe'],
  });
}

describe('the log of a process', () => {
  it.each([
    ['comes to its end', '', 0],
    ['exits in the midst of its work', 'process.exit(3);', 3],
    ['fails of an error that nobody caught', 'throw new Error("broken");', 1],
  ])('is whole and on stderr alone when the process %s', async (_what, ending, code) => {
    const child = logging(`for (let n = 0; n < 1000; n++) log.info({ n }, 'said'); ${ending}`);
    const [stdout, stderr, [exitCode]] = await Promise.all([
      text(child.stdout),
      text(child.stderr),
      once(child, 'exit'),
    ]);
    const said = stderr.split('\n').filter((line) => line.startsWith('{'));
    expect(said.map((line) => (JSON.parse(line) as Line).n)).toEqual(
      Array.from({ length: 1000 }, (_, n) => n),
    );
    expect([stdout, exitCode]).toEqual(['', code]);
  });

  it('does not hold the work up for whoever reads it slowly: what is too much is dropped by whole lines', async () => {
    const lines = 20_000;
    const child = logging(`
      const what = 'x'.repeat(1000);
      for (let n = 0; n < ${lines}; n++) {
        log.info({ what }, 'said');
        if (n % 100 === 0) await new Promise((resolve) => setImmediate(resolve));
      }
      process.stdout.write('worked');`);
    const ended = once(child, 'exit');
    const [worked] = (await once(child.stdout, 'data')) as [Buffer];
    expect(worked.toString()).toBe('worked');
    const said = linesOf(await text(child.stderr));
    await ended;
    expect(said.length).toBeGreaterThan(1_000);
    expect(said.length).toBeLessThan(lines / 2);
  });
});
