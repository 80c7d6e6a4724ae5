import { createHash } from 'node:crypto';
import { readFile, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { installationFiles, sourceFiles } from './component.ts';
import { postgresRoot } from './postgres.ts';

/** The images that hold code of ours. */
export const components = ['agent', 'core', 'webhook'] as const;

/** Where the Containerfiles are, which say how each image runs. */
export const containerfiles = {
  agent: 'agent/Containerfile',
  core: 'core/Containerfile',
  webhook: 'webhook/Containerfile',
  postgres: 'manifests/components/postgres/image/Containerfile',
} as const;

/** Beside the folders of the images. */
const FILE = 'sources.sha256';

/** Changes when anything of the checkout does that images are built from. */
export async function digestOfSources(root: string): Promise<string> {
  const sources = await Promise.all(components.map((component) => sourceFiles(root, component)));
  const files = [...new Set([...sources.flat(), ...(await installationFiles(root))])].sort();
  const hash = createHash('sha256').update(JSON.stringify(await postgresRoot(root)));
  for (const file of [...files, ...Object.values(containerfiles)]) {
    const content = await readFile(path.join(root, file));
    hash.update(JSON.stringify([file, content.length])).update(content);
  }
  return hash.digest('hex');
}

/** Notes in the folder of the images what they were built from. */
export function keepDigest(folder: string, digest: string): Promise<void> {
  return writeFile(path.join(folder, FILE), `${digest}\n`);
}

/** Whether the images of the folder were built from the checkout as it is. */
export async function areCurrent(folder: string, root: string): Promise<boolean> {
  const kept = await readFile(path.join(folder, FILE), 'utf8').catch(() => '');
  return kept.trim() === (await digestOfSources(root));
}
