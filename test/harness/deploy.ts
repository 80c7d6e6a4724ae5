import { readdir } from 'node:fs/promises';
import path from 'node:path';
import { areCurrent } from '../../tools/images/sources-digest.ts';
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
  const entries = await readdir(folder, { withFileTypes: true });
  return entries.filter((entry) => entry.isDirectory()).map(({ name }) => path.join(folder, name));
}

/** What became of a deployment. */
interface Deployed {
  /** The images that the manifests name and the node lacks. */
  readonly missing: readonly string[];
  /** Whether our images were built from other sources than those of the checkout. */
  readonly outdated: boolean;
}

/**
 * Loads our images and applies an overlay of `manifests/overlays`, or any other folder with a kustomization.
 */
export async function deploy(cluster: ClusterAccess, overlay: string): Promise<Deployed> {
  const own = path.join(REPOSITORY, 'manifests', 'overlays', overlay);
  const folder = (await exists(own)) ? own : path.resolve(overlay);
  if (!(await exists(folder))) {
    throw new HarnessError('manifests_unusable', `there is no overlay ${overlay}`, {
      hint: 'Give the name of a folder in manifests/overlays, or the path of one with a kustomization.yaml.',
    });
  }
  const images = await ownImages();
  const outdated = images.length > 0 && !(await areCurrent(cacheFolder('images'), REPOSITORY));
  for (const image of images) await cluster.load(image);
  const { stdout: manifests, stderr, code } = await cluster.kubectl(['kustomize', folder]);
  if (code !== 0)
    throw new HarnessError('manifests_unusable', `cannot render ${folder}: ${lastLines(stderr)}`);
  await cluster.apply(manifests);
  const present = await namesOfImages(cluster.containerdSocket);
  const named = new Set([...manifests.matchAll(/^[ -]*image: (\S+)$/gm)].map(([, image = '']) => image));
  return { missing: [...named].filter((image) => !present.has(image)), outdated };
}
