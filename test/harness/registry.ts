import { mkdtempDisposable, readFile, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { Component } from './component.ts';
import type { KeyPair } from './pki.ts';
import { runOk } from './process.ts';
import { need } from './tools.ts';

/** An image registry of one's own, on a port of the loopback. */
export interface Registry extends AsyncDisposable {
  /** 127.0.0.1:PORT. */
  readonly host: string;
  /** The files that it keeps. */
  readonly folder: string;
  /**
   * Copies the image of a folder of the OCI layout to `name` (REPOSITORY:TAG), with all its platforms.
   */
  push(folder: string, name: string, options?: PushOptions): Promise<void>;
}

export interface PushOptions {
  /** USER:PASSWORD. */
  readonly as?: string;
  readonly format?: 'oci' | 'v2s2';
}

export interface RegistryOptions {
  /** Plain http, unless given. */
  readonly certificate?: KeyPair;
  /** Who is let in: users with their passwords, or those who have a token of a server. */
  readonly users?: Readonly<Record<string, string>>;
  readonly tokens?: { readonly realm: string; readonly service: string; readonly authority: string };
}

const ISSUER = 'gatehouse.test';

/** Starts Distribution 2.8, as Debian has it. Needs no root. */
export async function startRegistry(options: RegistryOptions = {}): Promise<Registry> {
  const { 'docker-registry': registry, skopeo } = await need('docker-registry', 'skopeo');
  await using started = new AsyncDisposableStack();
  const { path: folder } = started.use(await mkdtempDisposable(path.join(tmpdir(), 'gatehouse-registry-')));
  const data = path.join(folder, 'data');
  const config = {
    version: '0.1',
    log: { level: 'info', accesslog: { disabled: true } },
    storage: { filesystem: { rootdirectory: data }, delete: { enabled: true } },
    http: {
      addr: '127.0.0.1:0',
      ...(options.certificate && {
        tls: { certificate: options.certificate.certificate, key: options.certificate.key },
      }),
    },
    ...(await authOf(options, folder)),
  };
  const file = path.join(folder, 'config.yml');
  // JSON is YAML.
  await writeFile(file, JSON.stringify(config));
  let host = '';
  const component = await Component.start(
    {
      name: 'registry',
      argv: [registry, 'serve', file],
      env: { OTEL_TRACES_EXPORTER: 'none' },
      ready: async () => {
        const log = await readFile(path.join(folder, 'logs', 'registry.log'), 'utf8');
        host = /listening on (127\.0\.0\.1:\d+)/.exec(log)?.[1] ?? '';
        if (host === '') throw new Error('it does not listen');
      },
    },
    { prefix: ['setpriv', '--pdeathsig', 'KILL', '--'], forks: false },
    folder,
  );
  started.defer(() => component.stop());
  const running = started.move();
  return {
    host,
    folder: data,
    push: async (from, name, { as, format } = {}) => {
      const credentials = as === undefined ? ['--dest-no-creds'] : ['--dest-creds', as];
      await runOk([
        ...[
          skopeo,
          '--insecure-policy',
          'copy',
          '--all',
          '--quiet',
          '--dest-tls-verify=false',
          ...credentials,
        ],
        ...(format ? ['--format', format] : []),
        ...[`oci:${from}`, `docker://${host}/${name}`],
      ]);
    },
    [Symbol.asyncDispose]: () => running.disposeAsync(),
  };
}

async function authOf({ users, tokens }: RegistryOptions, folder: string): Promise<object> {
  if (tokens) {
    const { realm, service, authority } = tokens;
    return { auth: { token: { realm, service, issuer: ISSUER, rootcertbundle: authority } } };
  }
  if (!users) return {};
  const file = path.join(folder, 'htpasswd');
  const lines = await Promise.all(
    Object.entries(users).map(async ([user, password]) => `${user}:${await bcrypt(password)}\n`),
  );
  await writeFile(file, lines.join(''));
  return { auth: { htpasswd: { realm: 'test', path: file } } };
}

/** The one form that the registry takes, by the C library, whose words Perl hands on. */
async function bcrypt(password: string): Promise<string> {
  return runOk(['perl', '-e', 'print crypt($ARGV[0], q($2y$05$abcdefghijklmnopqrstuu))', password]);
}
