import { mkdir, mkdtempDisposable, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { asksForHelp, OptionError, readOptions } from '@gatehouse/lib/options.ts';
import { runCommand } from '@gatehouse/lib/run.ts';
import { cacheFolder } from '../test/harness/cache.ts';
import { buildImage, type Image } from '../test/harness/images.ts';
import { cachedDependencies, cachedNode, cachedRoot } from './images/cache.ts';
import { writeSources } from './images/component.ts';
import { configOf } from './images/containerfile.ts';
import { postgresRoot } from './images/postgres.ts';
import { components, containerfiles, digestOfSources, keepDigest } from './images/sources-digest.ts';

const root = path.resolve(import.meta.dirname, '..');

/** Images are called by the version of the product, which the manifests name too. */
const VERSION = '0.1.0';
export const imageName = (component: string): string => `gatehouse.dev/${component}:${VERSION}`;

/**
 * Builds all images without an image registry, each into a folder of the OCI layout below `folder`: the same content as
 * by the Containerfiles. What else is in `folder` stays there.
 */
export async function buildImages(folder: string): Promise<readonly Image[]> {
  await using made = await mkdtempDisposable(path.join(tmpdir(), 'gatehouse-images-'));
  await mkdir(folder, { recursive: true });
  await removeImages(folder);
  const digest = await digestOfSources(root);
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
  await keepDigest(folder, digest);
  return images;
}

/** Takes the images of an earlier build away, and nothing else: the folder may be anyone's. */
export async function removeImages(folder: string): Promise<void> {
  await keepDigest(folder, '');
  for (const name of Object.keys(containerfiles)) {
    await rm(path.join(folder, name), { recursive: true, force: true });
  }
}

/** What components have of Debian, as distroless images have it. Node.js brings everything else along. */
export async function buildBottom(folder: string): Promise<Image> {
  const packages = ['base-files', 'libc6', 'libstdc++6'];
  return buildImage(folder, {
    name: 'gatehouse.dev/debian:base',
    layers: [{ tar: await cachedRoot({ packages }) }],
  });
}

const help = `Usage: npm run images -- [FOLDER]

Builds our images without an image registry, each into a folder of the OCI layout below FOLDER
(default ${cacheFolder('images')}, where \`npm run cluster -- deploy\` looks for them).
Replaces ${Object.keys(containerfiles).join(', ')} there. Needs root and mmdebstrap.

Example:
  npm run images -- ./images
`;

async function main(argv: readonly string[]): Promise<void> {
  if (asksForHelp(argv)) {
    process.stdout.write(help);
    return;
  }
  const { positionals } = readOptions({}, argv);
  if (positionals.length > 1) throw new OptionError('option_unknown', 'images go into one folder');
  for (const image of await buildImages(positionals[0] ?? cacheFolder('images'))) {
    process.stdout.write(`${image.name}  ${image.digest}  ${image.folder}\n`);
  }
}

if (import.meta.main) await runCommand(main);
