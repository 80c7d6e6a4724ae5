import type { NodeName } from '../datastore/aliases.ts';
import { insertRoot } from '../datastore/container-roots.ts';
import { findImage } from '../datastore/images.ts';
import { CoreError } from '../errors.ts';
import type { App } from './app.ts';
import { composeIfWhole, type FragmentUpload, parseFragment } from './layers.ts';
import { digest, shortText } from './names.ts';
import { nameOf } from './nodes.ts';

/** What a running container of an image shows as its root. */
export interface RootUpload extends FragmentUpload {
  readonly image: string;
}

/** Keeps what a container of an image shows, for when some layer of the image can be read by nobody. */
export async function storeRoot(app: App, node: NodeName, upload: RootUpload): Promise<void> {
  const name = digest('image', upload.image);
  const catalogerVersion = shortText('cataloger_version', upload.catalogerVersion);
  await parseFragment(`the root of a container of ${name}`, upload);
  const source = nameOf(node);
  await app.database.transaction(async (sql) => {
    const image = await findImage(sql, name);
    if (!image)
      throw new CoreError('layer_not_expected', `${source} sent the root of ${name}, an unknown image`);
    await insertRoot(sql, { image: name, catalogerVersion, fragment: upload.content, source });
    await composeIfWhole(app, sql, image, catalogerVersion);
  });
}
