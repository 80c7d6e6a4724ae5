import { once } from 'node:events';
import { chmod, mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { createServer } from 'node:tls';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { startCluster } from '../harness/cluster.ts';
import { buildImage, type Image } from '../harness/images.ts';
import { type Result, run, runOk } from '../harness/process.ts';
import { startRegistry } from '../harness/registry.ts';
import { npmPackage, OS_RELEASE } from './layers.ts';
import { startMeddler } from './meddler.ts';

const root = path.resolve(import.meta.dirname, '../..');
const gatehouse = path.join(root, 'node_modules/.bin/gatehouse');
const PURLS = 'pkg:npm/minimist@1.2.0\npkg:npm/minimist@1.2.5\n';

let folder: string;
let image: Image;

beforeAll(async () => {
  folder = await mkdtemp(path.join(tmpdir(), 'gatehouse-sources-'));
  const lower = await folderOf('lower', { ...OS_RELEASE, ...npmPackage('minimist', '1.2.0') });
  const upper = await folderOf('upper', renamed(npmPackage('minimist', '1.2.5')));
  image = await buildImage(path.join(folder, 'image'), {
    name: 'registry.test/team/app:1',
    layers: [{ folder: lower }, { folder: upper }],
  });
});

afterAll(() => rm(folder, { recursive: true, force: true }));

/** Beside the other one, not in its place. */
function renamed(files: Readonly<Record<string, string>>): Readonly<Record<string, string>> {
  return Object.fromEntries(Object.entries(files).map(([file, content]) => [`srv/other/${file}`, content]));
}

async function folderOf(name: string, files: Readonly<Record<string, string>>): Promise<string> {
  const to = path.join(folder, name);
  for (const [file, content] of Object.entries(files)) {
    await mkdir(path.dirname(path.join(to, file)), { recursive: true });
    await writeFile(path.join(to, file), content);
  }
  return to;
}

const sbom = (...args: readonly string[]): Promise<Result> =>
  run([gatehouse, 'sbom', '-o', 'purls', ...args]);

describe('what the command line reads from a containerd', () => {
  it('is the image that is named, wherever the runtime listens', async () => {
    await using cluster = await startCluster();
    await cluster.load(image);
    const place = ['--containerd-socket', cluster.containerdSocket, '--host-root', cluster.root];
    for (const name of ['registry.test/team/app:1', 'registry.test/team/app', image.id.slice(7, 19)]) {
      expect(await sbom(`containerd:${name}`, ...place)).toEqual({ code: 0, stdout: PURLS, stderr: '' });
    }
    expect(await sbom('containerd:registry.test/team/app:2', ...place)).toMatchObject({
      code: 1,
      stderr: expect.stringMatching(/has no image registry\.test\/team\/app:2\. It has .*team\/app:1/),
    });
  });

  it('is nothing where none listens, and the option is told', async () => {
    const none = path.join(folder, 'none.sock');
    expect(await sbom('containerd:app:1', '--containerd-socket', none)).toMatchObject({
      code: 1,
      stderr: expect.stringMatching(/no containerd answers at .*none\.sock.*give --containerd-socket/),
    });
  });
});

describe('what the command line reads from a registry', () => {
  it('comes from a mirror that has all of it, with the registry itself away', async () => {
    await using registry = await startRegistry();
    await registry.push(image.folder, 'team/app:1');
    const away = '127.0.0.1:1';
    const flags = ['--registry-mirror', `${away}=${registry.host}`, '--insecure-registry', registry.host];
    expect(await sbom(`registry:${away}/team/app:1`, ...flags)).toEqual({
      code: 0,
      stdout: PURLS,
      stderr: '',
    });
  });

  it('fails with what each of the places said, also of a layer', async () => {
    await using registry = await startRegistry();
    await registry.push(image.folder, 'team/app:1');
    await using mirror = await startMeddler(registry.host);
    mirror.rule = ({ path: asked }) => (asked.includes('/blobs/') ? { status: 500 } : undefined);
    const away = '127.0.0.1:1';
    const insecure = `${mirror.host},${registry.host}`;
    const flags = ['--registry-mirror', `${away}=${mirror.host}`, '--insecure-registry', insecure];
    expect(await sbom(`registry:${away}/team/app:1`, ...flags)).toMatchObject({
      code: 1,
      stderr: expect.stringMatching(/cannot reach https:\/\/127\.0\.0\.1:1 \(mirrors: .* answers 500/),
    });
  });
});

describe('what the command line is told by a registry', () => {
  it('that speaks no TLS comes with the option that allows it', async () => {
    await using registry = await startRegistry();
    const said = `${registry.host} speaks no TLS`;
    const mend = `give --insecure-registry ${registry.host}.`;
    for (const flags of [[], ['--insecure-registry', '127.0.0.1']]) {
      expect(await sbom(`registry:${registry.host}/team/app:1`, ...flags)).toMatchObject({
        code: 1,
        stderr: expect.stringMatching(new RegExp(`${said}[^]*${mend}`)),
      });
    }
  });

  it('that has no such image comes with what to look at', async () => {
    await using registry = await startRegistry();
    const flags = ['--insecure-registry', registry.host];
    expect(await sbom(`registry:${registry.host}/team/none:1`, ...flags)).toMatchObject({
      code: 1,
      stderr: expect.stringMatching(/answers 404 .*Check the name of the repository, and the tag/),
    });
  });
});

describe('an upload that cannot succeed', () => {
  it('to a server of TLS by plain http is told to use https', async () => {
    const server = createServer();
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    const { port } = server.address() as AddressInfo;
    const core = ['--core', `http://127.0.0.1:${port}`, '--image', image.id];
    expect(await run([gatehouse, 'sbom', 'upload', await documentOf(image), ...core])).toMatchObject({
      code: 1,
      stderr: expect.stringContaining(`try --core https://127.0.0.1:${port} with --ca FILE`),
    });
    server.close();
    await once(server, 'close');
  });

  it('for a name instead of a digest is told before anything is sent', async () => {
    const flags = ['--image', 'app:1', '--core', 'http://127.0.0.1:1'];
    expect(await run([gatehouse, 'sbom', 'upload', await documentOf(image), ...flags])).toMatchObject({
      code: 2,
      stderr: expect.stringMatching(/--image is 'app:1': expected a digest.*docker inspect/),
    });
  });
});

async function documentOf({ folder: from }: Image): Promise<string> {
  const file = path.join(folder, 'app.cdx.json');
  await writeFile(file, await runOk([gatehouse, 'sbom', `oci-dir:${from}`]));
  return file;
}

describe('what the command line reads from a folder', () => {
  it('is all but what may not be read and what is mounted, which is said', async () => {
    const place = await folderOf('place', {
      ...npmPackage('minimist', '1.2.0'),
      'closed/file': '',
      'mounted/file': '',
      'var/lib/dpkg/status': '',
    });
    await chmod(path.join(place, 'closed'), 0);
    await chmod(path.join(place, 'var/lib/dpkg/status'), 0);
    // An ordinary user, as whom files can be owned all the same; see embedded-postgres.ts.
    const command = `mount -t tmpfs none "$1/mounted" && exec unshare --user --map-user=65534 "$2" sbom "dir:$1" -o purls`;
    const result = await run(['unshare', '--mount', 'sh', '-c', command, 'sh', place, gatehouse]);
    const lines = result.stderr.trim().split('\n');
    expect(lines).toEqual([
      expect.stringMatching(/^gatehouse: closed: .*may not be read/),
      expect.stringMatching(/^gatehouse: mounted: .*nother file system/),
      expect.stringMatching(/^gatehouse: var\/lib\/dpkg\/status: .*may not be read/),
    ]);
    expect(result).toMatchObject({ code: 0, stdout: 'pkg:npm/minimist@1.2.0\n' });
  });

  it('is said to be nothing where nothing was found', async () => {
    const empty = path.join(folder, 'empty');
    await mkdir(empty);
    expect(await sbom(`dir:${empty}`)).toEqual({
      code: 0,
      stdout: '',
      stderr: `gatehouse: no packages were found in dir:${empty}\n`,
    });
  });

  it('is told in a few lines where much of it may not be read', async () => {
    const many = path.join(folder, 'many');
    await mkdir(many);
    for (let index = 0; index < 30; index++) await mkdir(path.join(many, `${index}`), { mode: 0 });
    const result = await run(['unshare', '--user', '--map-user=65534', gatehouse, 'sbom', `dir:${many}`]);
    const lines = result.stderr.trim().split('\n');
    expect(lines).toHaveLength(22);
    expect(lines[20]).toBe('gatehouse: and 10 more that were not read as a whole');
  });
});
