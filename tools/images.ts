import { cp, mkdir, mkdtempDisposable, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { cacheFolder } from '../test/harness/cache.ts';
import { buildImage, type Image } from '../test/harness/images.ts';
import { copySources, installDependencies } from './images/component.ts';
import { postgresFiles } from './images/postgres.ts';
import { minimalRoot } from './images/root.ts';

const root = path.resolve(import.meta.dirname, '..');

/** Images are called by the version of the product, which the manifests name too. */
const VERSION = '0.1.0';
export const imageName = (component: string): string => `gatehouse.dev/${component}:${VERSION}`;

/** Nobody: the user of distroless images, who owns nothing. */
const NOBODY = '65532:65532';

/** What of Debian each image has. Node.js brings everything else along. */
const NODE_PACKAGES = ['base-files', 'libc6', 'libstdc++6'];
const POSTGRES_PACKAGES = ['base-files', 'dash', 'coreutils', 'postgresql-15'];
/** They serve to install and to manage several servers on a machine, and to compile queries. */
const POSTGRES_WITHOUT = [
  ...[
    'adduser',
    'debconf',
    'debianutils',
    'dpkg',
    'init-system-helpers',
    'libc-l10n',
    'libllvm14',
    'libsemanage2',
  ],
  ...[
    'libsemanage-common',
    'libz3-4',
    'locales',
    'lsb-base',
    'mawk',
    'openssl',
    'passwd',
    'perl',
    'perl-base',
  ],
  ...['perl-modules-5.36', 'libperl5.36', 'libfile-find-rule-perl', 'libjson-perl', 'libnumber-compare-perl'],
  ...['libtext-glob-perl', 'postgresql-common', 'postgresql-client-common', 'sensible-utils', 'ssl-cert'],
  ...['sysvinit-utils', 'tar', 'ucf', 'usrmerge'],
];

const components = [
  // The runtime's socket and the layers of images are root's.
  { name: 'agent', user: '0:0' },
  { name: 'core', user: NOBODY },
  { name: 'webhook', user: NOBODY },
];

/**
 * Builds all images without an image registry, each into a folder of the OCI layout below `folder`: the same content as
 * by the Containerfiles.
 */
export async function buildImages(folder: string): Promise<readonly Image[]> {
  await using made = await mkdtempDisposable(path.join(tmpdir(), 'gatehouse-images-'));
  await rm(folder, { recursive: true, force: true });
  const base = await buildImage(path.join(made.path, 'node'), {
    name: 'gatehouse.dev/node:base',
    layers: [
      { tar: await minimalRoot({ packages: NODE_PACKAGES }) },
      { folder: await nodeFolder(made.path) },
    ],
  });
  const images: Image[] = [];
  for (const { name, user } of components) {
    const sources = path.join(made.path, name);
    await copySources(root, name, sources);
    images.push(
      await buildImage(path.join(folder, name), {
        name: imageName(name),
        base,
        layers: [{ folder: await installDependencies(root, name) }, { folder: sources }],
        config: {
          User: user,
          Env: ['PATH=/usr/local/bin', 'NODE_ENV=production'],
          WorkingDir: '/app',
          Entrypoint: ['/usr/local/bin/node', `/app/${name}/main.ts`],
        },
      }),
    );
  }
  const postgres = {
    packages: POSTGRES_PACKAGES,
    without: POSTGRES_WITHOUT,
    files: await postgresFiles(root),
  };
  images.push(
    await buildImage(path.join(folder, 'postgres'), {
      name: imageName('postgres'),
      layers: [{ tar: await minimalRoot(postgres) }],
      config: {
        User: '999:999',
        Env: ['PATH=/usr/lib/postgresql/15/bin:/usr/bin:/bin', 'PGDATA=/var/lib/postgresql/data'],
        Entrypoint: ['/usr/local/bin/postgres-in-cluster'],
      },
    }),
  );
  return images;
}

/** The Node.js that the lock file pins, as /usr/local/bin/node. */
async function nodeFolder(folder: string): Promise<string> {
  const bin = path.join(folder, 'node-root', 'usr', 'local', 'bin');
  await mkdir(bin, { recursive: true });
  await cp(path.join(root, 'node_modules', 'node', 'bin', 'node'), path.join(bin, 'node'));
  return path.join(folder, 'node-root');
}

if (import.meta.main) {
  const folder = process.argv[2] ?? cacheFolder('images');
  for (const image of await buildImages(folder)) {
    process.stdout.write(`${image.name}  ${image.digest}  ${image.folder}\n`);
  }
}
