import { chmod, mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import {
  anonymous,
  type Credentials,
  openRegistryImage,
  parseReference,
  plainSettings,
  RegistryClient,
} from '@gatehouse/registry';
import type { SourceImage } from '@gatehouse/sbom';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { buildImage, type Image } from '../harness/images.ts';
import { type Authority, createAuthority } from '../harness/pki.ts';
import { type Result, run } from '../harness/process.ts';
import { type Registry, type RegistryOptions, startRegistry } from '../harness/registry.ts';
import { startTokenServer, type TokenServer, type TokenServerOptions } from '../harness/token-server.ts';
import { npmPackage } from './layers.ts';
import { startMeddler } from './meddler.ts';

const root = path.resolve(import.meta.dirname, '../..');
const password = (username: string, word: string): Credentials => ({
  kind: 'password',
  username,
  password: word,
});
const JANE = password('jane', 'se:cret');
const users = { jane: 'se:cret', john: 'other' };

let folder: string;
let authority: Authority;
let trusted: string;
let image: Image;

beforeAll(async () => {
  folder = await mkdtemp(path.join(tmpdir(), 'gatehouse-registry-auth-'));
  authority = await createAuthority(folder);
  trusted = await readFile(authority.certificate, 'utf8');
  const files = path.join(folder, 'files');
  const [[file = '', content = ''] = []] = Object.entries(npmPackage('minimist', '1.2.0'));
  await mkdir(path.dirname(path.join(files, file)), { recursive: true });
  await writeFile(path.join(files, file), content);
  image = await buildImage(path.join(folder, 'image'), {
    name: 'registry.test/app:1',
    layers: [{ folder: files }],
  });
});

afterAll(() => rm(folder, { recursive: true, force: true }));

/** A registry with TLS that has the image, to be read by whom the options let in. */
async function startWith(options: Omit<RegistryOptions, 'certificate'>): Promise<Registry> {
  const certificate = await authority.issue('registry', { user: 'registry', names: ['IP:127.0.0.1'] });
  await using stack = new AsyncDisposableStack();
  const registry = stack.use(await startRegistry({ ...options, certificate }));
  await registry.push(image.folder, 'team/app:1', { as: 'jane:se:cret' });
  await registry.push(image.folder, 'public/app:1', { as: 'jane:se:cret' });
  stack.move();
  return registry;
}

/** Reads the configuration of the image, with these credentials. */
async function openAs(
  registry: Registry,
  credentials: readonly Credentials[],
  name = 'team/app:1',
): Promise<SourceImage> {
  using client = new RegistryClient({ ...plainSettings, authority: trusted }, async () => credentials);
  return await openRegistryImage(client, parseReference(`${registry.host}/${name}`));
}

describe('a registry that asks for name and password', () => {
  let registry: Registry;
  beforeAll(async () => {
    registry = await startWith({ users });
  });
  afterAll(() => registry?.[Symbol.asyncDispose]());

  it('lets in whom it knows', async () => {
    expect((await openAs(registry, [JANE])).digest).toBe(image.id);
  });

  it.each<[string, readonly Credentials[]]>([
    ['nobody', []],
    ['a wrong password', [password('jane', 'wrong')]],
    ['a token, which it does not know', [{ kind: 'identity', token: 'abc' }]],
    ['a token for itself, which it does not know', [{ kind: 'bearer', token: 'abc' }]],
  ])('does not let in %s', async (_, credentials) => {
    await expect(openAs(registry, credentials)).rejects.toMatchObject({ code: 'registry_denied' });
  });

  it('is tried with all credentials that may do', async () => {
    expect((await openAs(registry, [password('jane', 'wrong'), JANE])).digest).toBe(image.id);
  });

  it('is not spoken to by whoever does not know its authority', async () => {
    using client = new RegistryClient(plainSettings, async () => [JANE], { tries: 1 });
    await expect(
      openRegistryImage(client, parseReference(`${registry.host}/team/app:1`)),
    ).rejects.toMatchObject({ code: 'registry_unreachable', hint: expect.stringContaining('--registry-ca') });
  });

  it('is spoken to all the same if it was named as insecure', async () => {
    const settings = { ...plainSettings, insecure: new Set([registry.host]) };
    using client = new RegistryClient(settings, async () => [JANE]);
    const opened = await openRegistryImage(client, parseReference(`${registry.host}/team/app:1`));
    expect(opened.digest).toBe(image.id);
  });

  describe('on the command line', () => {
    const sbom = (config: string, ...more: readonly string[]): Promise<Result> =>
      run(
        [
          ...[
            process.execPath,
            path.join(root, 'cli/main.ts'),
            'sbom',
            `registry:${registry.host}/team/app:1`,
          ],
          ...['-o', 'purls', '--registry-ca', authority.certificate, ...more],
        ],
        { env: { DOCKER_CONFIG: config, PATH: `${config}:${process.env.PATH}` } },
      );
    const configured = async (name: string, config: object): Promise<string> => {
      const to = path.join(folder, name);
      await mkdir(to, { recursive: true });
      await writeFile(path.join(to, 'config.json'), JSON.stringify(config));
      return to;
    };

    it('is read with what `docker login` has left', async () => {
      const auth = Buffer.from('jane:se:cret').toString('base64');
      const config = await configured('login', { auths: { [registry.host]: { auth } } });
      expect(await sbom(config)).toMatchObject({ code: 0, stdout: 'pkg:npm/minimist@1.2.0\n', stderr: '' });
    });

    it('is read with what a helper knows', async () => {
      const config = await configured('helped', { credHelpers: { [registry.host]: 'test' } });
      const answer = JSON.stringify({ ServerURL: registry.host, Username: 'jane', Secret: 'se:cret' });
      const program = path.join(config, 'docker-credential-test');
      const script = `#!/bin/sh\n[ "$1 $(cat)" = "get ${registry.host}" ] && echo '${answer}'\n`;
      await writeFile(program, script);
      await chmod(program, 0o755);
      expect(await sbom(config)).toMatchObject({ code: 0, stdout: 'pkg:npm/minimist@1.2.0\n' });
    });

    it.each([
      ['is not there', undefined, /cannot be run/],
      ['fails', 'echo se:cret; exit 1', /ended with 1/],
      ['says what is no answer', 'echo se:cret', /not understood/],
      ['knows nothing', 'echo credentials not found in native keychain; exit 1', /answers 401/],
    ])('says so if a helper %s', async (what, script, said) => {
      const config = await configured(`helper ${what}`, { credsStore: 'broken' });
      const program = path.join(config, 'docker-credential-broken');
      if (script !== undefined) {
        await writeFile(program, `#!/bin/sh\n${script}\n`);
        await chmod(program, 0o755);
      }
      const { code, stdout, stderr } = await sbom(config);
      expect({ code, stdout }).toEqual({ code: 1, stdout: '' });
      expect(stderr).toMatch(said);
      expect(stderr).not.toContain('se:cret');
    });

    it('says what is wrong where it is not let in, without the password', async () => {
      const config = await configured('wrong', {
        auths: { [registry.host]: { username: 'jane', password: 'wrongword' } },
      });
      const { code, stderr } = await sbom(config);
      expect(code).toBe(1);
      expect(stderr).toMatch(/^gatehouse: .* answers 401 for \/v2\/team\/app\/manifests\/1: UNAUTHORIZED/);
      expect(stderr).not.toContain('wrongword');
    });

    it('takes the wanted platform', async () => {
      const config = await configured('platform', {
        auths: { [registry.host]: { username: 'jane', password: 'se:cret' } },
      });
      const { code, stderr } = await sbom(config, '--platform', 'linux/s390x');
      expect(code).toBe(1);
      expect(stderr).toContain('not for linux/s390x');
    });
  });
});

describe('a registry that points to a server of tokens', () => {
  async function start(
    options: Partial<TokenServerOptions> = {},
  ): Promise<AsyncDisposable & { registry: Registry; tokens: TokenServer }> {
    await using stack = new AsyncDisposableStack();
    const tokens = stack.use(await startTokenServer(authority, { users, ...options }));
    const registry = stack.use(await startWith({ tokens }));
    const kept = stack.move();
    return { registry, tokens, [Symbol.asyncDispose]: () => kept.disposeAsync() };
  }

  it('is read with one token, for reading the one repository', async () => {
    await using started = await start();
    const { registry, tokens } = started;
    const before = tokens.requests.length;
    expect((await openAs(registry, [JANE])).digest).toBe(image.id);
    expect(tokens.requests.slice(before)).toEqual([
      { method: 'GET', user: 'jane', service: tokens.service, scope: 'repository:team/app:pull' },
    ]);
  });

  it('is read by everybody where everybody may', async () => {
    await using started = await start();
    expect((await openAs(started.registry, [], 'public/app:1')).digest).toBe(image.id);
    await expect(openAs(started.registry, [])).rejects.toMatchObject({ code: 'registry_denied' });
  });

  it('is read with an identity token', async () => {
    await using started = await start({ identities: { 'jane-s-token': 'jane' } });
    const { registry, tokens } = started;
    expect((await openAs(registry, [{ kind: 'identity', token: 'jane-s-token' }])).digest).toBe(image.id);
    expect(tokens.requests.at(-1)).toMatchObject({
      method: 'POST',
      user: 'jane',
      scope: 'repository:team/app:pull',
    });
    const other = openAs(registry, [{ kind: 'identity', token: 'nobody-s' }]);
    await expect(other).rejects.toMatchObject({ code: 'registry_denied' });
  });

  it('is asked with a new token when the last one is over', async () => {
    await using started = await start({ lasting: 1 });
    const { registry, tokens } = started;
    const before = tokens.requests.length;
    expect((await openAs(registry, [JANE])).digest).toBe(image.id);
    // The manifest and the configuration.
    expect(tokens.requests.length - before).toBe(2);
  });

  it('takes no tokens of others', async () => {
    const others = path.join(folder, 'others');
    await mkdir(others);
    await using tokens = await startTokenServer(await createAuthority(others), { users });
    const certificate = await authority.issue('registry', { user: 'registry', names: ['IP:127.0.0.1'] });
    await using registry = await startRegistry({
      certificate,
      tokens: { ...tokens, authority: authority.certificate },
    });
    const both = trusted + (await readFile(tokens.authority, 'utf8'));
    using client = new RegistryClient({ ...plainSettings, authority: both }, async () => [JANE]);
    const reading = openRegistryImage(client, parseReference(`${registry.host}/team/app:1`));
    await expect(reading).rejects.toMatchObject({ code: 'registry_denied' });
    expect(tokens.requests).toHaveLength(1);
  });

  it.each(['http://127.0.0.1:1/token', 'ftp://registry.test/', 'token', ''])(
    'at %j gets no credentials',
    async (realm) => {
      await using meddler = await startMeddler();
      meddler.rule = () => ({ status: 401, headers: { 'www-authenticate': `Bearer realm="${realm}"` } });
      const settings = { ...plainSettings, insecure: new Set([meddler.host]) };
      using client = new RegistryClient(settings, async () => [JANE]);
      await expect(
        openRegistryImage(client, parseReference(`${meddler.host}/team/app:1`)),
      ).rejects.toMatchObject({ code: /registry_(denied|answer_invalid)/ });
    },
  );

  it('in plain is asked only if it was named, and what it says is not shown', async () => {
    await using meddler = await startMeddler();
    const challenge = { 'www-authenticate': `Bearer realm="http://${meddler.host}/token",service="x"` };
    meddler.rule = ({ path: asked }) =>
      asked.startsWith('/token')
        ? { status: 200, body: '{"token":"bad\\ntoken"}' }
        : { status: 401, headers: challenge };
    const settings = { ...plainSettings, insecure: new Set([meddler.host]) };
    using client = new RegistryClient(settings, async () => [JANE]);
    const reading = openRegistryImage(client, parseReference(`${meddler.host}/team/app:1`));
    await expect(reading).rejects.toMatchObject({
      code: 'registry_answer_invalid',
      message: expect.not.stringContaining('bad'),
    });
    expect(meddler.seen.at(-1)?.authorization).toMatch(/^Basic /);
  });
});

it('sends nothing to a registry without TLS that was not named', async () => {
  await using meddler = await startMeddler();
  using client = new RegistryClient(plainSettings, anonymous, { tries: 1 });
  await expect(openRegistryImage(client, parseReference(`${meddler.host}/team/app:1`))).rejects.toMatchObject(
    { code: 'registry_unreachable' },
  );
  expect(meddler.seen).toEqual([]);
});
