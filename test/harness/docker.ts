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

/** Starts dockerd with overlay2, as Debian 12 has it. Needs root on Linux. */
export async function startDocker(): Promise<Docker> {
  const { dockerd, libdevmapper, runc, curl, ...tools } = await need(
    'dockerd',
    'libdevmapper',
    'runc',
    'containerd-1.6',
    'curl',
  );
  const [libraries = ''] = await readdir(libdevmapper);
  await using stack = new AsyncDisposableStack();
  const folder = await mkdtemp(path.join(tmpdir(), 'gatehouse-docker-'));
  stack.defer(async () => {
    // Where the system's root is not shared, dockerd mounts its folder on itself, and leaves it so.
    await run(['umount', '--lazy', path.join(folder, 'data')]);
    await rm(folder, { recursive: true, force: true });
  });
  const socket = path.join(folder, 'docker.sock');
  const settings = path.join(folder, 'daemon.json');
  await writeFile(settings, '{}');
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
          dockerd,
          '--config-file',
          settings,
          '--host',
          `unix://${socket}`,
          '--iptables=false',
          '--bridge=none',
        ],
        ...['--data-root', path.join(folder, 'data'), '--exec-root', path.join(folder, 'exec')],
        ...['--pidfile', path.join(folder, 'pid'), '--storage-driver', 'overlay2'],
      ],
      env: {
        PATH: `${tools['containerd-1.6']}:${path.dirname(runc)}:/usr/sbin:/usr/bin:/sbin:/bin`,
        LD_LIBRARY_PATH: path.join(libdevmapper, libraries),
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
