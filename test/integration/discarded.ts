import { readFile } from 'node:fs/promises';
import path from 'node:path';
import { exists } from '../harness/cache.ts';
import type { Cluster } from '../harness/cluster.ts';
import type { Image } from '../harness/images.ts';
import { eventually } from '../harness/wait.ts';

/**
 * Waits until containerd has dropped the archives of an image that it has unpacked: removing a name for good makes it
 * collect what nothing refers to.
 */
export async function untilDiscarded(cluster: Cluster, image: Image): Promise<void> {
  const archive = await topArchive(cluster, image);
  await eventually(
    async () => {
      await cluster.ctr(['images', 'tag', image.name, 'registry.test/none:1']);
      await cluster.ctr(['images', 'rm', '--sync', 'registry.test/none:1']);
      if (await exists(archive)) throw new Error(`${archive} is still there`);
    },
    { what: 'the archives to be discarded' },
  );
}

async function topArchive(cluster: Cluster, { folder, digest }: Image): Promise<string> {
  const [algorithm = '', hex = ''] = digest.split(':');
  const manifest = JSON.parse(await readFile(path.join(folder, 'blobs', algorithm, hex), 'utf8')) as {
    layers: { digest: string }[];
  };
  const blobs = path.join(cluster.root, 'var/lib/containerd/io.containerd.content.v1.content/blobs');
  return path.join(blobs, ...(manifest.layers.at(-1)?.digest.split(':') ?? []));
}
