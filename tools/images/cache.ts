import { createHash } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import path from 'node:path';
import { cached } from '../../test/harness/cache.ts';
import { progress } from '../../test/harness/process.ts';
import { need } from '../../test/harness/tools.ts';
import { installationFiles, nodeVersion, writeDependencies, writeNode } from './component.ts';
import { type RootContent, rootOptions, writeRoot } from './root.ts';

/** The folder with the Node.js of images. */
export async function cachedNode(root: string): Promise<string> {
  return cached('image-node', `${await nodeVersion(root)}-${process.arch}`, async (unfinished) => {
    progress('installing Node.js for images');
    await writeNode(root, unfinished);
  });
}

/** The folder with what a component depends on. */
export async function cachedDependencies(root: string, component: string): Promise<string> {
  const files = await installationFiles(root);
  const contents = await Promise.all(files.map((file) => readFile(path.join(root, file), 'utf8')));
  return cached('image-modules', `${component}-${hashOf(contents)}`, async (unfinished) => {
    progress(`installing what the ${component} depends on`);
    await writeDependencies(root, component, unfinished);
  });
}

/** The path of the tar of a minimal Debian root. */
export async function cachedRoot(content: RootContent): Promise<string> {
  await need('mmdebstrap');
  // Made anew each day, for the sake of the updates.
  const day = new Date().toISOString().slice(0, 10);
  const key = `${day}-${hashOf([rootOptions(content), content.files])}`;
  const folder = await cached('image-roots', key, async (unfinished) => {
    progress(`making a root with ${content.packages.join(', ')}`);
    await writeRoot(content, path.join(unfinished, 'root.tar'));
  });
  return path.join(folder, 'root.tar');
}

const hashOf = (content: unknown): string =>
  createHash('sha256').update(JSON.stringify(content)).digest('hex').slice(0, 12);
