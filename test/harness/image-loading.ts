import { stat } from 'node:fs/promises';
import path from 'node:path';
import { namesOfImages } from './cri.ts';
import { HarnessError } from './errors.ts';
import type { Image } from './images.ts';
import { eventually } from './wait.ts';

/** How images come to a node: by a command there, and by a look at the runtime's socket from here. */
export interface ImageStore {
  /** Gives what the command printed; throws if it fails. */
  readonly exec: (argv: readonly string[]) => Promise<string>;
  readonly socket: string;
  readonly importFlags: readonly string[];
}

const CTR = ['ctr', '--namespace', 'k8s.io', 'images'];

/**
 * Loads an image, or a file or folder of images (OCI layout or archive, Docker archive), so that pods can use it by tag
 * and by digest, as if it had been pulled.
 */
export async function loadImage(store: ImageStore, image: Image | string): Promise<void> {
  const source = path.resolve(typeof image === 'string' ? image : image.folder);
  const importing = [...CTR, 'import', ...store.importFlags];
  try {
    const isFolder = (await stat(source)).isDirectory();
    await store.exec(
      isFolder
        ? ['sh', '-c', 'folder=$1; shift; tar -C "$folder" -c . | "$@" -', 'sh', source, ...importing]
        : [...importing, source],
    );
  } catch (cause) {
    throw new HarnessError('image_unusable', `cannot load ${source}`, {
      cause,
      hint: 'Give a folder of the OCI layout or an archive of it, or what `docker save` writes.',
    });
  }
  const loaded = await listImages(store);
  const unnamed = loaded.find(({ name }) => name.startsWith('import-'));
  if (unnamed) {
    await store.exec([...CTR, 'remove', unnamed.name]);
    throw new HarnessError('image_unusable', `the image in ${source} has no name`, {
      hint: 'Give it one by the annotation io.containerd.image.name in its index.json.',
    });
  }
  await nameAsPulled(store, loaded);
}

interface StoredImage {
  readonly name: string;
  readonly digest: string;
}

/** All images of the node that have a name by tag. */
async function listImages({ exec }: ImageStore): Promise<readonly StoredImage[]> {
  const [, ...lines] = (await exec([...CTR, 'list'])).trim().split('\n');
  const images = lines
    .map((line) => line.split(/\s+/))
    .map(([name = '', , digest = '']) => ({ name, digest }));
  return images.filter(({ name }) => !name.startsWith('sha256:') && !/@sha256:/.test(name));
}

/** A pull leaves the full name by tag, and one by digest beside it; an import does not, and pods may ask for either. */
async function nameAsPulled({ exec, socket }: ImageStore, images: readonly StoredImage[]): Promise<void> {
  const expected: string[] = [];
  for (const { name, digest } of images) {
    const tagged = fullName(name);
    const byDigest = `${tagged.slice(0, tagged.lastIndexOf(':'))}@${digest}`;
    for (const each of [tagged, byDigest])
      if (each !== name) await exec([...CTR, 'tag', '--force', name, each]);
    if (tagged !== name) await exec([...CTR, 'remove', name]);
    expected.push(tagged, byDigest);
  }
  await eventually(
    async () => {
      const known = await namesOfImages(socket);
      const missing = expected.filter((name) => !known.has(name));
      if (missing.length > 0) throw new Error(`it does not know ${missing.join(', ')}`);
    },
    { what: 'the runtime to take over what was loaded' },
  );
}

/** A name without a registry means Docker's, to the runtime as to whoever writes a pod. */
function fullName(name: string): string {
  const [registry = '', ...path] = name.split('/');
  if (path.length === 0) return `docker.io/library/${name}`;
  return /[.:]/.test(registry) || registry === 'localhost' ? name : `docker.io/${name}`;
}
