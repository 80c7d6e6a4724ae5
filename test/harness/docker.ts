import { mkdtemp, readdir, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { Component } from './component.ts';
import { type Result, run, runOk } from './process.ts';
import { need } from './tools.ts';

/** A Docker daemon of one's own, with the containers that it runs. Its containers have no network. */
export interface Docker extends AsyncDisposable {
  readonly socket: string;
  /** Calls its HTTP API. */
  call(method: string, path: string, body?: string | { readonly file: string }): Promise<Result>;
}

export interface DockerOptions {
  /** What keeps images: Docker's own overlay2 in Debian 12's Docker 20.10, unless told; or containerd, in Docker 29. */
  readonly store?: keyof typeof stores;
}

const stores = {
  overlay2: async () => {
    const found = await need('dockerd', 'libdevmapper', 'containerd-1.6');
    const [libraries = ''] = await readdir(found.libdevmapper);
    return {
      dockerd: found.dockerd,
      containerd: found['containerd-1.6'],
      flags: ['--storage-driver', 'overlay2'],
      env: { LD_LIBRARY_PATH: path.join(found.libdevmapper, libraries) },
      settings: {},
    };
  },
  containerd: async () => {
    const found = await need('dockerd-29', 'containerd');
    return {
      dockerd: found['dockerd-29'],
      containerd: found.containerd,
      flags: [],
      env: {},
      // Debian 12's runc does not know these namespaces yet.
      settings: { features: { 'containerd-snapshotter': true, 'time-namespaces': false } },
    };
  },
} as const;

/** Starts dockerd. Needs root on Linux. */
export async function startDocker({ store = 'overlay2' }: DockerOptions = {}): Promise<Docker> {
  const programs = await stores[store]();
  const { runc, curl } = await need('runc', 'curl');
  await using stack = new AsyncDisposableStack();
  const folder = await mkdtemp(path.join(tmpdir(), 'gatehouse-docker-'));
  stack.defer(async () => {
    // Where the system's root is not shared, dockerd mounts its folder on itself, and leaves it so.
    await run(['umount', '--lazy', path.join(folder, 'data')]);
    await rm(folder, { recursive: true, force: true });
  });
  const socket = path.join(folder, 'docker.sock');
  const settings = path.join(folder, 'daemon.json');
  await writeFile(settings, JSON.stringify(programs.settings));
  const call: Docker['call'] = (method, url, body) => {
    const data =
      body === undefined ? [] : ['--data-binary', typeof body === 'string' ? body : `@${body.file}`];
    const type = typeof body === 'string' ? 'application/json' : 'application/x-tar';
    const flags = [
      '--silent',
      '--show-error',
      '--fail-with-body',
      '--unix-socket',
      socket,
      '--request',
      method,
    ];
    return run([curl, ...flags, '--header', `content-type: ${type}`, ...data, `http://docker${url}`]);
  };
  const daemon = await Component.start(
    {
      name: 'dockerd',
      argv: [
        ...[
          programs.dockerd,
          '--config-file',
          settings,
          '--host',
          `unix://${socket}`,
          '--iptables=false',
          '--bridge=none',
        ],
        ...['--data-root', path.join(folder, 'data'), '--exec-root', path.join(folder, 'exec')],
        ...['--pidfile', path.join(folder, 'pid'), ...programs.flags],
      ],
      env: {
        PATH: `${programs.containerd}:${path.dirname(runc)}:/usr/sbin:/usr/bin:/sbin:/bin`,
        ...programs.env,
      },
      ready: () => runOk([curl, '--silent', '--fail', '--unix-socket', socket, 'http://docker/_ping']),
    },
    { prefix: [], forks: false },
    folder,
  );
  stack.defer(() => daemon.stop());
  // Containers first, for the daemon leaves them running when it ends.
  stack.defer(async () => {
    const { stdout } = await call('GET', '/containers/json?all=true');
    for (const { Id } of JSON.parse(stdout) as { Id: string }[])
      await call('DELETE', `/containers/${Id}?force=true`);
  });
  const running = stack.move();
  return { socket, call, [Symbol.asyncDispose]: () => running.disposeAsync() };
}
