import { stat } from 'node:fs/promises';
import { SbomError } from '../errors.ts';
import { openArchive } from './archive-store.ts';
import { openDockerArchive } from './docker-archive.ts';
import type { FileStore } from './file-store.ts';
import { FolderStore } from './folder-store.ts';
import { openOciLayout } from './oci-layout.ts';
import { checkPlatform, type Platform } from './platform.ts';
import type { SourceImage } from './source-image.ts';

/** Images as files: what follows each scheme, and who opens it. */
const schemes: Readonly<
  Record<string, { form: string; open: (rest: string, platform?: Platform) => Promise<SourceImage> }>
> = {
  'docker-archive': {
    form: 'docker-archive:FILE',
    open: async (file) => openOrClose(await openArchive(file), openDockerArchive),
  },
  'oci-archive': {
    form: 'oci-archive:FILE',
    open: async (file, platform) =>
      openOrClose(await openArchive(file), (store) => openOciLayout(store, { platform })),
  },
  'oci-dir': { form: 'oci-dir:DIR[:TAG]', open: openOciFolder },
};

/** The schemes of `openSource`, as a help text would say them. */
export const fileSourceForms: readonly string[] = Object.values(schemes).map(({ form }) => form);

/**
 * The image that a text such as `oci-dir:build/image:1.0` names; of several platforms the one that is wanted. Throws SbomError `source_invalid`, and what the
 * opened kind of source throws.
 */
export async function openSource(text: string, platform?: Platform): Promise<SourceImage> {
  const [, scheme = '', rest = ''] = /^([a-z-]+):(.+)$/s.exec(text) ?? [];
  const found = Object.hasOwn(schemes, scheme) ? schemes[scheme] : undefined;
  if (found) {
    await using resources = new AsyncDisposableStack();
    const image = resources.use(await found.open(rest, platform));
    checkPlatform(text, image.platform, platform);
    resources.move();
    return image;
  }
  throw new SbomError('source_invalid', `'${text}' is not an image in a file or folder`, {
    hint: `Give one of ${fileSourceForms.join(', ')}.`,
  });
}

async function openOrClose(
  store: FileStore,
  openImage: (store: FileStore) => Promise<SourceImage>,
): Promise<SourceImage> {
  await using resources = new AsyncDisposableStack();
  resources.use(store);
  const image = await openImage(store);
  resources.move();
  return image;
}

/** Both a folder's name and a tag may have colons: the whole text is the folder if there is one, else as little as can be. */
async function openOciFolder(text: string, platform?: Platform): Promise<SourceImage> {
  if (await isFolder(text)) return openOciLayout(new FolderStore(text), { platform });
  for (let colon = text.indexOf(':'); colon !== -1; colon = text.indexOf(':', colon + 1)) {
    const folder = text.slice(0, colon);
    if (await isFolder(folder)) {
      return openOciLayout(new FolderStore(folder), { tag: text.slice(colon + 1), platform });
    }
  }
  throw new SbomError('source_unreadable', `there is no folder ${text}`);
}

async function isFolder(path: string): Promise<boolean> {
  try {
    return (await stat(path)).isDirectory();
  } catch {
    // Absent, or not to be entered: then another reading of the text may be right, or the error names it all.
    return false;
  }
}
