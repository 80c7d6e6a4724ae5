import { readdir } from 'node:fs/promises';
import path from 'node:path';
import { cacheFolder, exists } from './cache.ts';
import type { ClusterAccess } from './cluster-access.ts';
import { namesOfImages } from './cri.ts';
import { HarnessError } from './errors.ts';
import { lastLines } from './process.ts';

const REPOSITORY = path.join(import.meta.dirname, '..', '..');

/** The folders, as OCI layouts, in which `npm run images` has put our images; none before it ran. */
async function ownImages(): Promise<readonly string[]> {
  const folder = cacheFolder('images');
  if (!(await exists(folder))) return [];
  return (await readdir(folder)).map((name) => path.join(folder, name));
}

/**
 * Loads our images and applies an overlay of `manifests/overlays`, or any other folder with a kustomization. Gives the
 * images that the manifests name and the node lacks.
 */
export async function deploy(cluster: ClusterAccess, overlay: string): Promise<readonly string[]> {
  const own = path.join(REPOSITORY, 'manifests', 'overlays', overlay);
  const folder = (await exists(own)) ? own : path.resolve(overlay);
  if (!(await exists(folder))) {
    throw new HarnessError('manifests_unusable', `there is no overlay ${overlay}`, {
      hint: 'Give the name of a folder in manifests/overlays, or the path of one with a kustomization.yaml.',
    });
  }
  for (const image of await ownImages()) await cluster.load(image);
  const { stdout: manifests, stderr, code } = await cluster.kubectl(['kustomize', folder]);
  if (code !== 0)
    throw new HarnessError('manifests_unusable', `cannot render ${folder}: ${lastLines(stderr)}`);
  await cluster.apply(manifests);
  const present = await namesOfImages(cluster.containerdSocket);
  const named = new Set([...manifests.matchAll(/^[ -]*image: (\S+)$/gm)].map(([, image = '']) => image));
  return [...named].filter((image) => !present.has(image));
}
