import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdir, mkdtemp, readdir, rm, writeFile } from 'node:fs/promises';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { createInterface } from 'node:readline';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type FeedsFolder, makeFeedsFolder } from '../fixtures/feeds.ts';
import { buildImage, type Image } from '../harness/images.ts';
import { run, runOk } from '../harness/process.ts';
import { need } from '../harness/tools.ts';
import { eventually } from '../harness/wait.ts';
import { npmPackage, OS_RELEASE } from './layers.ts';

const root = path.resolve(import.meta.dirname, '..', '..');
const gatehouse = path.join(root, 'node_modules', '.bin', 'gatehouse');

let folder: string;
let feeds: FeedsFolder;
let image: Image;

beforeAll(async () => {
  await need('curl', 'pgrep');
  folder = await mkdtemp(path.join(tmpdir(), 'gatehouse-start-'));
  feeds = await makeFeedsFolder();
  const files = path.join(folder, 'files');
  for (const [name, content] of Object.entries({ ...OS_RELEASE, ...npmPackage('minimist', '1.2.0') })) {
    await mkdir(path.dirname(path.join(files, name)), { recursive: true });
    await writeFile(path.join(files, name), content);
  }
  image = await buildImage(path.join(folder, 'image'), {
    name: 'registry.test/app:1',
    layers: [{ folder: files }],
  });
});

afterAll(async () => {
  await feeds?.[Symbol.asyncDispose]();
  await rm(folder, { recursive: true, force: true });
});

/** What a run has printed, and how it ends. */
interface Running extends AsyncDisposable {
  readonly stdout: string;
  readonly stderr: string;
  readonly process: ChildProcess;
}

function start(...flags: readonly string[]): Running {
  const none = ['--containerd-socket=', '--docker-socket='];
  const ports = ['--http-listen', '127.0.0.1:0', '--webhook-listen', '127.0.0.1:0'];
  const data = ['--data-folder', path.join(folder, 'data')];
  const child = spawn(gatehouse, ['start', ...data, ...ports, ...none, ...flags], {
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  const printed = { stdout: '', stderr: '' };
  for (const name of ['stdout', 'stderr'] as const) {
    createInterface({ input: child[name] }).on('line', (line) => {
      printed[name] += `${line}\n`;
    });
  }
  return {
    get stdout() {
      return printed.stdout;
    },
    get stderr() {
      return printed.stderr;
    },
    process: child,
    async [Symbol.asyncDispose]() {
      if (child.exitCode !== null) return;
      const ended = once(child, 'exit');
      child.kill('SIGINT');
      await ended;
    },
  };
}

describe('gatehouse start', () => {
  it('prints what it found, and a command that gets a real decision', async () => {
    await using running = start('--feeds', feeds.path, `oci-dir:${image.folder}`);
    const command = await eventually(
      () => {
        const line = running.stdout.split('\n').find((each) => each.trim().startsWith('curl '));
        if (line === undefined) throw new Error(running.stderr);
        return line;
      },
      { what: 'the command', timeout: 60_000 },
    );
    expect(running.stderr).toMatch(/store +PostgreSQL 18\./);
    expect(running.stderr).toMatch(/runtime +none answers; reading the images named/);
    expect(running.stderr).toMatch(/feed +npm: \d+ records as of/);
    expect(running.stdout).toMatch(/registry\.test\/app:1 +ready +1 /);

    const answer = JSON.parse(await runOk(['sh', '-c', `${command} --silent`])) as {
      response: { allowed: boolean; status: { message: string } };
    };
    expect(answer.response.allowed).toBe(false);
    expect(answer.response.status.message).toContain('npm/minimist@1.2.0 (fixed in 1.2.6)');

    const url = /http:\/\/\S+/.exec(running.stderr)?.[0] ?? '';
    const { images } = (await (await fetch(url)).json()) as { images: { digest: string }[] };
    expect(images.map(({ digest }) => digest)).toEqual([image.id]);
  });

  it('tells what is wrong with an image that was named before anything starts', async () => {
    await using running = start(`oci-dir:${image.folder}`, `docker-archive:${path.join(folder, 'none.tar')}`);
    await once(running.process, 'close');
    expect(running.process.exitCode).toBe(1);
    expect(running.stderr).toMatch(/^gatehouse: .*none\.tar/);
  });

  it('remembers the image, ends on an interrupt, and leaves nothing running', async () => {
    await using running = start('--feeds', feeds.path);
    await eventually(() => expect(running.stdout).toMatch(/registry\.test\/app:1 +ready/), {
      what: 'the image',
      timeout: 60_000,
    });
    await running[Symbol.asyncDispose]();
    expect(running.process.exitCode).toBe(0);
    const { stdout } = await run(['pgrep', '--full', path.join(folder, 'data')]);
    expect(stdout).toBe('');
    expect((await readdir(tmpdir())).filter((name) => name.startsWith('gatehouse-pg-'))).toEqual([]);
  });

  it('says what it waits for if that takes long', async () => {
    await using silent = createServer(() => undefined).listen(0, '127.0.0.1');
    await once(silent, 'listening');
    const { port } = silent.address() as AddressInfo;
    await using running = start('--feeds', `http://127.0.0.1:${port}/`);
    await eventually(() => expect(running.stderr).toMatch(/waiting +for advisories to be imported/), {
      what: 'the line',
    });
    silent.closeAllConnections();
  });

  it('says what is wrong with an image that is none, and exits', async () => {
    await using running = start('--feeds', feeds.path, `docker-archive:${path.join(folder, 'absent.tar')}`);
    await once(running.process, 'exit');
    expect(running.process.exitCode).toBe(1);
    expect(running.stderr).toMatch(/gatehouse: .*absent\.tar/);
  });

  it('says so if another one uses its folder, and exits', async () => {
    await using first = start('--feeds', feeds.path);
    await eventually(() => expect(first.stderr).toMatch(/webhook +https:/), { what: 'the first one' });
    await using second = start('--feeds', feeds.path);
    await once(second.process, 'exit');
    expect(second.process.exitCode).toBe(1);
    expect(second.stderr).toMatch(/gatehouse: another gatehouse uses .*data/);
  });

  it('says its version and its use', async () => {
    expect((await runOk([gatehouse, '--version'])).trim()).toMatch(/^gatehouse \d+\.\d+\.\d+$/);
    expect(await runOk([gatehouse, '-h'])).toContain('Commands:');
    for (const command of ['start', 'core', 'agent', 'webhook']) {
      expect(await runOk([gatehouse, command, '-h'])).toContain(`Usage: gatehouse ${command}`);
    }
  });

  it.each([
    ['core', '--database', 'postgres://db'],
    ['agent', '--core', 'localhost:9443'],
    ['webhook', '--core', 'localhost:9443'],
  ])('takes no word that means nothing: %s', async (...words) => {
    const { code, stderr } = await run([gatehouse, ...words, 'extra']);
    expect(stderr).toContain("'extra' is no option");
    expect(code).toBe(2);
  });

  it('says what is wrong with its use, and exits with 2', async () => {
    const { code, stderr } = await run([gatehouse, 'start', '--mode', 'block']);
    expect(code).toBe(2);
    expect(stderr).toContain("--mode is 'block': expected one of enforce, warn, audit, off");
    const unknown = await run([gatehouse, 'strat']);
    expect(unknown.code).toBe(2);
    expect(unknown.stderr).toContain('The commands are start, sbom, core, agent, webhook.');
  });
});
