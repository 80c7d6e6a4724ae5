import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import {
  address,
  describeOptions,
  duration,
  list,
  type OptionTable,
  oneOf,
  onOff,
  readOptions,
  text,
  whole,
} from './options.ts';

const table = {
  dataFolder: text('FOLDER', 'where data lie'),
  mode: oneOf(['enforce', 'audit'], 'what to do', 'audit'),
  workers: whole('N', 'how many', { least: 1, most: 8 }, 2),
  every: duration('how often', '1h'),
  listen: address('where to listen', '127.0.0.1:8080'),
  accounts: list('NAMES', 'who may', 'a,b'),
  inCluster: onOff('whether in a cluster'),
};

let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'gatehouse-options-'));
});
afterAll(() => rm(folder, { recursive: true }));

const read = (argv: readonly string[], env: Record<string, string> = {}) =>
  readOptions(table, ['--data-folder', '/data', ...argv], env).values;

async function configFile(content: string): Promise<string> {
  const path = join(folder, 'config.yaml');
  await writeFile(path, content);
  return path;
}

describe('settings', () => {
  it('have their defaults where nothing is said', () => {
    expect(read([])).toEqual({
      dataFolder: '/data',
      mode: 'audit',
      workers: 2,
      every: 3_600_000,
      listen: { host: '127.0.0.1', port: 8080 },
      accounts: ['a', 'b'],
      inCluster: false,
    });
  });

  it('can come from a variable of another tool, before the default alone', async () => {
    const shared = { folder: { ...text('FOLDER', 'where', '/default'), variable: 'DOCKER_CONFIG' } };
    const folderOf = (argv: readonly string[], env: Record<string, string>) =>
      readOptions(shared, argv, env).values.folder;
    expect(folderOf([], { DOCKER_CONFIG: '/docker' })).toBe('/docker');
    expect(folderOf([], { DOCKER_CONFIG: '/docker', GATEHOUSE_FOLDER: '/own' })).toBe('/own');
    expect(folderOf([], {})).toBe('/default');
  });

  it('come from a flag before a variable, from a variable before the file, from the file before the default', async () => {
    const config = await configFile('workers: 3\n');
    expect(read(['--config', config]).workers).toBe(3);
    expect(read(['--config', config], { GATEHOUSE_WORKERS: '4' }).workers).toBe(4);
    expect(read(['--config', config, '--workers', '5'], { GATEHOUSE_WORKERS: '4' }).workers).toBe(5);
    expect(read([], { GATEHOUSE_CONFIG: config }).workers).toBe(3);
  });

  it('may be lists and switches in the file', async () => {
    const config = await configFile('accounts: [x, y]\nin-cluster: true\n');
    expect(read(['--config', config])).toMatchObject({ accounts: ['x', 'y'], inCluster: true });
  });

  it('of a switch need no value, and can be turned off again', () => {
    expect(read(['--in-cluster']).inCluster).toBe(true);
    expect(read(['--no-in-cluster'], { GATEHOUSE_IN_CLUSTER: 'true' }).inCluster).toBe(false);
  });

  it('leave what is no option to the command', () => {
    expect(
      readOptions(table, ['--data-folder', '/d', 'docker-archive:a.tar', '--workers=1', 'b']).positionals,
    ).toEqual(['docker-archive:a.tar', 'b']);
  });
});

describe('a duration', () => {
  it.each([
    ['500ms', 500],
    ['1.5s', 1_500],
    ['5m', 300_000],
    ['4h', 14_400_000],
    ['90d', 7_776_000_000],
  ])('of %s is %d milliseconds', (text, milliseconds) => {
    expect(read(['--every', text]).every).toBe(milliseconds);
  });
});

describe('an address', () => {
  it.each([
    ['[::1]:8443', { host: '::1', port: 8443 }],
    [':8443', { host: '0.0.0.0', port: 8443 }],
    ['example.org:0', { host: 'example.org', port: 0 }],
  ])('may be %s', (text, expected) => {
    expect(read(['--listen', text]).listen).toEqual(expected);
  });
});

describe('wrong use', () => {
  it.each([
    [['--workers', '9'], 'option_invalid', "--workers is '9': expected a whole number from 1 to 8"],
    [['--workers', '-1'], 'option_unknown', '--workers'],
    [['--every', '5'], 'option_invalid', 'expected a number and a unit'],
    [['--listen', '8080'], 'option_invalid', 'expected HOST:PORT'],
    [['--listen', 'h:99999'], 'option_invalid', 'expected HOST:PORT'],
    [['--mode', 'block'], 'option_invalid', 'expected one of enforce, audit'],
    [['--wrokers', '2'], 'option_unknown', '--wrokers'],
    [['--config', '/does/not/exist'], 'config_unreadable', '/does/not/exist'],
  ])('%j says what was wrong', (argv, code, message) => {
    expect(() => read(argv)).toThrow(
      expect.objectContaining({ code, message: expect.stringContaining(message) }),
    );
  });

  it('of a variable names the variable', () => {
    expect(() => read([], { GATEHOUSE_WORKERS: 'many' })).toThrow(/GATEHOUSE_WORKERS is 'many'/);
  });

  it('without a setting that has no default says how to give it', () => {
    expect(() => readOptions(table, [], {})).toThrow(
      expect.objectContaining({
        code: 'option_missing',
        hint: 'Give --data-folder FOLDER or set GATEHOUSE_DATA_FOLDER.',
      }),
    );
  });

  it.each([
    ['a list', '- a\n'],
    ['a text', 'just words'],
    ['no YAML', 'a: [b'],
  ])('of a file that is %s is told', async (_what, content) => {
    const config = await configFile(content);
    expect(() => read(['--config', config])).toThrow(expect.objectContaining({ code: 'config_unreadable' }));
  });

  it('of a name in the file is told, with the names there are', async () => {
    const config = await configFile('worker: 1\n');
    expect(() => read(['--config', config])).toThrow(
      expect.objectContaining({ code: 'option_unknown', hint: expect.stringContaining('workers') }),
    );
  });
});

describe('help', () => {
  it('names each option with its default, the variables, and an example', () => {
    const help = describeOptions(
      { usage: 'tool [options]', summary: 'Does things.', example: 'tool --workers 3' },
      table satisfies OptionTable,
    );
    expect(help).toContain('--workers N');
    expect(help).toContain('how many (default 2)');
    expect(help).toMatch(/--([a-z-]+) is GATEHOUSE_[A-Z_]+\./);
    expect(help).toContain('tool --workers 3');
  });
});
