import { cp, mkdir, mkdtemp, readFile, realpath, rm, symlink } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { containerfiles } from '../../tools/images/sources-digest.ts';
import { buildBottom, buildImages } from '../../tools/images.ts';
import { debianRoot } from '../harness/base-images.ts';
import { buildImage } from '../harness/images.ts';
import { runOk } from '../harness/process.ts';
import { need } from '../harness/tools.ts';
import { differences, readImage } from './image-files.ts';

type ImageName = keyof typeof containerfiles;

const root = path.resolve(import.meta.dirname, '../..');
/** A build copies its base images several times over. */
const BUILD_TIMEOUT_MS = 180_000;

let folder: string;
let buildah: readonly string[];
/** In place of the images that only a registry has. */
let standIns: readonly string[];

beforeAll(async () => {
  folder = await mkdtemp(path.join(tmpdir(), 'gatehouse-containerfiles-'));
  const tools = await need('buildah', 'mmdebstrap');
  const storage = ['--root', path.join(folder, 'storage'), '--runroot', path.join(folder, 'run')];
  buildah = [tools.buildah, ...storage, '--storage-driver', 'vfs'];
  await buildNodeImage(path.join(folder, 'node'));
  await buildBottom(path.join(folder, 'bottom'));
  standIns = [`NODE=${await pull('node:24')}`, `DISTROLESS=${await pull('bottom:base')}`];
  await buildImages(path.join(folder, 'images'));
});

afterAll(() => rm(folder, { recursive: true, force: true }));

/** A Debian with the Node.js that runs this, and with this machine's npm and whom it trusts. */
async function buildNodeImage(to: string): Promise<void> {
  const files = path.join(folder, 'node-files');
  const bin = path.join(files, 'usr/local/bin');
  await mkdir(bin, { recursive: true });
  await cp(process.execPath, path.join(bin, 'node'));
  const npm = await realpath((await runOk(['sh', '-c', 'command -v npm'])).trim());
  await cp(path.resolve(npm, '../..'), path.join(files, 'usr/local/lib/npm'), { recursive: true });
  await symlink('../lib/npm/bin/npm-cli.js', path.join(bin, 'npm'));
  const setting = async (name: string): Promise<string> =>
    (await runOk(['npm', 'config', 'get', name], { cwd: root })).trim();
  const trusted = await setting('cafile');
  await cp(
    trusted === 'null' ? '/etc/ssl/certs/ca-certificates.crt' : trusted,
    path.join(files, 'etc/trusted.crt'),
  );
  await buildImage(to, {
    name: 'gatehouse.test/node:24',
    layers: [
      { tar: await debianRoot(['ca-certificates']), compression: 'none' },
      { folder: files, compression: 'none' },
    ],
    config: {
      Env: [
        'PATH=/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin',
        'NODE_EXTRA_CA_CERTS=/etc/trusted.crt',
        `npm_config_registry=${await setting('registry')}`,
      ],
    },
  });
}

/** Has buildah take an image out of `folder`, and gives its id. */
async function pull(image: string): Promise<string> {
  // From there, for buildah makes a name of the path, and names have no capital letters.
  return (await runOk([...buildah, 'pull', '--quiet', `oci:${image}`], { cwd: folder })).trim();
}

/** Builds an image, and gives its folder of the OCI layout. */
async function build(name: ImageName): Promise<string> {
  const args = standIns.flatMap((standIn) => ['--build-arg', standIn]);
  const options = ['--isolation', 'chroot', '--pull=never', '--file', containerfiles[name], '--tag', name];
  await runOk([...buildah, 'build', ...options, ...args, '.'], { cwd: root });
  const to = path.join(folder, `built-${name}`);
  await runOk([...buildah, 'push', '--disable-compression', name, `oci:${to}:built`]);
  return to;
}

it.each(['core', 'postgres'] as const)(
  'builds the image %s from its Containerfile just as without a registry',
  { timeout: BUILD_TIMEOUT_MS },
  async (name) => {
    const without = await readImage(path.join(folder, 'images', name));
    const built = await readImage(await build(name));
    expect(differences(without.files, built.files)).toEqual([]);
    expect(built.config).toMatchObject(without.config);
  },
);

it.each(['agent', 'webhook'] as const)('builds the %s as the core, but for name and user', async (name) => {
  const read = (file: string): Promise<string> => readFile(path.join(root, file), 'utf8');
  const general = (text: string, own: string): string =>
    text.replaceAll(own, 'NAME').replace(/#.*\nUSER .*/, 'USER');
  expect(general(await read(containerfiles[name]), name)).toBe(
    general(await read(containerfiles.core), 'core'),
  );
});
