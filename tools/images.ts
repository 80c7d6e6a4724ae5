import { mkdtempDisposable, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { cacheFolder } from '../test/harness/cache.ts';
import { buildImage, type Image } from '../test/harness/images.ts';
import { cachedDependencies, cachedNode, cachedRoot } from './images/cache.ts';
import { writeSources } from './images/component.ts';
import { configOf } from './images/containerfile.ts';
import { postgresRoot } from './images/postgres.ts';

const root = path.resolve(import.meta.dirname, '..');

/** Images are called by the version of the product, which the manifests name too. */
const VERSION = '0.1.0';
export const imageName = (component: string): string => `gatehouse.dev/${component}:${VERSION}`;

const components = ['agent', 'core', 'webhook'] as const;

/** Where the Containerfiles are, which say how each image runs. */
export const containerfiles = {
  agent: 'agent/Containerfile',
  core: 'core/Containerfile',
  webhook: 'webhook/Containerfile',
  postgres: 'manifests/components/postgres/image/Containerfile',
} as const;

/**
 * Builds all images without an image registry, each into a folder of the OCI layout below `folder`: the same content as
 * by the Containerfiles.
 */
export async function buildImages(folder: string): Promise<readonly Image[]> {
  await using made = await mkdtempDisposable(path.join(tmpdir(), 'gatehouse-images-'));
  await rm(folder, { recursive: true, force: true });
  const bottom = await buildBottom(path.join(made.path, 'bottom'));
  const base = await buildImage(path.join(made.path, 'node'), {
    name: 'gatehouse.dev/node:base',
    base: bottom,
    layers: [{ folder: await cachedNode(root) }],
  });
  const images: Image[] = [];
  for (const name of components) {
    const sources = path.join(made.path, name);
    await writeSources(root, name, sources);
    images.push(
      await buildImage(path.join(folder, name), {
        name: imageName(name),
        base,
        layers: [{ folder: await cachedDependencies(root, name) }, { folder: sources }],
        config: await configOf(path.join(root, containerfiles[name])),
      }),
    );
  }
  images.push(
    await buildImage(path.join(folder, 'postgres'), {
      name: imageName('postgres'),
      layers: [{ tar: await cachedRoot(await postgresRoot(root)) }],
      config: await configOf(path.join(root, containerfiles.postgres)),
    }),
  );
  return images;
}

/** What components have of Debian, as distroless images have it. Node.js brings everything else along. */
export async function buildBottom(folder: string): Promise<Image> {
  const packages = ['base-files', 'libc6', 'libstdc++6'];
  return buildImage(folder, {
    name: 'gatehouse.dev/debian:base',
    layers: [{ tar: await cachedRoot({ packages }) }],
  });
}

if (import.meta.main) {
  const folder = process.argv[2] ?? cacheFolder('images');
  for (const image of await buildImages(folder)) {
    process.stdout.write(`${image.name}  ${image.digest}  ${image.folder}\n`);
  }
}
