import { mkdir, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { cached, exists } from '../harness/cache.ts';
import { Component, type ComponentSpec } from '../harness/component.ts';
import { startFeedServer } from '../harness/feed-server.ts';
import { eventually } from '../harness/wait.ts';

let folder: string;

beforeAll(async () => {
  folder = await mkdtemp(path.join(tmpdir(), 'harness-parts-'));
});

afterAll(() => rm(folder, { recursive: true }));

describe('eventually', () => {
  it('gives what the check returns once it no longer throws', async () => {
    const states = ['starting', 'starting', 'ready'];
    const check = () => {
      const state = states.shift();
      if (state !== 'ready') throw new Error(`it is ${state}`);
      return state;
    };
    expect(await eventually(check, { what: 'it to be ready' })).toBe('ready');
  });

  it('says what it waited for and the last reason why not', async () => {
    const check = () => Promise.reject(new Error('it is starting'));
    await expect(eventually(check, { what: 'it to be ready', timeout: 100 })).rejects.toThrow(
      'waited 0.1 s for it to be ready: it is starting',
    );
  });

  it('does not wait for a check that hangs', async () => {
    const check = () => new Promise(() => undefined);
    await expect(eventually(check, { what: 'an answer', timeout: 100 })).rejects.toThrow(
      'did not come to an end',
    );
  });

  it('ends at once when there is nothing to wait for any more', async () => {
    const gone = new AbortController();
    const check = () => {
      gone.abort(new Error('its process ended'));
      throw new Error('it is starting');
    };
    await expect(eventually(check, { what: 'it', signal: gone.signal })).rejects.toThrow('its process ended');
  });
});

describe('a component', () => {
  const here = { prefix: [], forks: false };
  const shell = (name: string, script: string, more: Partial<ComponentSpec> = {}) =>
    Component.start({ name, argv: ['sh', '-c', script], ...more }, here, folder);

  it('that ends while it starts is reported with the end of its log', async () => {
    const ready = () => Promise.reject(new Error('nobody listens'));
    await expect(shell('broken', 'echo no certificate is given >&2; exit 3', { ready })).rejects.toThrow(
      'broken did not start: it ended with 3; its log ends with\nno certificate is given',
    );
  });

  it('whose program is missing is reported, too', async () => {
    const argv = [path.join(folder, 'nothing')];
    await expect(Component.start({ name: 'missing', argv }, here, folder)).rejects.toThrow(
      'missing cannot be started',
    );
  });

  it('may end its work when it is stopped, and not when it is killed', async () => {
    const script = (file: string) =>
      `trap 'echo done > ${file}; exit' TERM; echo up; while :; do sleep 0.05; done`;
    const up = (name: string) => async () =>
      expect(await readFile(path.join(folder, 'logs', `${name}.log`), 'utf8')).toBe('up\n');
    const stopped = await shell('stopped', script('stopped'), { ready: up('stopped') });
    const killed = await shell('killed', script('killed'), { ready: up('killed') });
    await Promise.all([stopped.stop(), killed.kill()]);
    expect(await exists(path.join(folder, 'stopped'))).toBe(true);
    expect(await exists(path.join(folder, 'killed'))).toBe(false);
    await expect(stopped.pid()).rejects.toThrow('stopped does not run');
  });
});

describe('the cache', () => {
  it('makes a folder once, also for many who want it at one time', async () => {
    vi.stubEnv('GATEHOUSE_CACHE', path.join(folder, 'cache'));
    const make = vi.fn(async (unfinished: string) => writeFile(path.join(unfinished, 'program'), 'whole'));
    const folders = await Promise.all([1, 2, 3].map(() => cached('kind', 'program-1', make)));
    expect(make).toHaveBeenCalledTimes(1);
    expect(new Set(folders)).toEqual(new Set([path.join(folder, 'cache', 'kind', 'program-1')]));
    expect(await readFile(path.join(folders[0] ?? '', 'program'), 'utf8')).toBe('whole');
    vi.unstubAllEnvs();
  });

  it('keeps nothing of a folder that could not be made', async () => {
    vi.stubEnv('GATEHOUSE_CACHE', path.join(folder, 'cache'));
    const make = () => Promise.reject(new Error('the disk is full'));
    await expect(cached('kind', 'broken-1', make)).rejects.toThrow('the disk is full');
    expect(await readdir(path.join(folder, 'cache', 'kind'))).toEqual(['program-1']);
    vi.unstubAllEnvs();
  });
});

describe('a feed server', () => {
  it('answers a tag that it gave with 304 until the file changes', async () => {
    await writeFile(path.join(folder, 'kev.json'), '{"catalogVersion":"1"}');
    await using feeds = await startFeedServer(folder);
    const first = await fetch(`${feeds.url}kev.json`);
    expect(await first.text()).toBe('{"catalogVersion":"1"}');
    const headers = { 'if-none-match': first.headers.get('etag') ?? '' };
    expect((await fetch(`${feeds.url}kev.json`, { headers })).status).toBe(304);
    await writeFile(path.join(folder, 'kev.json'), '{"catalogVersion":"2"}');
    const second = await fetch(`${feeds.url}kev.json`, { headers });
    expect(await second.text()).toBe('{"catalogVersion":"2"}');
    expect(feeds.served.map(({ status }) => status)).toEqual([200, 304, 200]);
  });

  it('serves names with blanks, and nothing outside of its folder', async () => {
    await mkdir(path.join(folder, 'feeds', 'Rocky Linux'), { recursive: true });
    await writeFile(path.join(folder, 'feeds', 'Rocky Linux', 'all.zip'), 'zip');
    await writeFile(path.join(folder, 'secret'), 'secret');
    await using feeds = await startFeedServer(path.join(folder, 'feeds'));
    expect((await fetch(`${feeds.url}Rocky%20Linux/all.zip`)).status).toBe(200);
    expect((await fetch(`${feeds.url}..%2Fsecret`)).status).toBe(404);
    expect((await fetch(`${feeds.url}missing`)).status).toBe(404);
  });
});
