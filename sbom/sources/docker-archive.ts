import { SbomError } from '../errors.ts';
import type { JsonValue } from '../json-shape.ts';
import { corrupt, type FileStore, readDocument } from './file-store.ts';
import { MAX_LAYERS, parseConfig } from './image-config.ts';
import { assembleImage, type SourceImage } from './source-image.ts';

/** One image of `docker save`, by the paths of its files. */
interface SavedImage {
  readonly config: string;
  readonly tags: readonly string[];
  readonly layers: readonly string[];
}

const MANIFEST_FILE = 'manifest.json';
const MAX_IMAGES = 1000;
const MAX_TAGS = 1000;
const MAX_TEXT_LENGTH = 4096;
const LAYER_TYPE = 'application/vnd.docker.image.rootfs.diff.tar';

/** The image of an archive that `docker save` wrote. Throws SbomError `image_ambiguous` or `source_corrupt`. */
export async function openDockerArchive(store: FileStore): Promise<SourceImage> {
  if ((await store.sizeOf(MANIFEST_FILE)) === undefined) {
    throw new SbomError(
      'source_corrupt',
      `${store.name} has no ${MANIFEST_FILE}, so docker save has not written it`,
      {
        hint: 'The archive of an OCI layout is opened as oci-archive:FILE.',
      },
    );
  }
  const { parsed: images } = await readDocument(store, MANIFEST_FILE, (value) =>
    value.list(MAX_IMAGES, parseSaved),
  );
  const [saved, ...others] = images;
  if (saved === undefined) throw corrupt(store, 'holds no image');
  if (others.length > 0) {
    const tags = images.flatMap((each) => each.tags.slice(0, 1));
    throw new SbomError(
      'image_ambiguous',
      `${store.name} holds ${images.length} images: ${tags.join(', ')}`,
      {
        hint: 'Save each of them to an archive of its own.',
      },
    );
  }
  const {
    parsed: config,
    digest,
    bytes,
  } = await readDocument(store, saved.config, parseConfig, digestIn(saved.config));
  const layers = saved.layers.map((path) => ({ path, mediaType: LAYER_TYPE }));
  return assembleImage(store, { digest, bytes, config, aliases: saved.tags, layers });
}

/** The config is named after its digest: `HEX.json`, or `blobs/sha256/HEX` since Docker 25. */
function digestIn(path: string): string | undefined {
  const hex = /(?:^|\/)([0-9a-f]{64})(?:\.json)?$/.exec(path)?.[1];
  return hex && `sha256:${hex}`;
}

function parseSaved(value: JsonValue): SavedImage {
  return {
    config: parseText(value.get('Config')),
    tags: value.get('RepoTags').optional((tags) => tags.list(MAX_TAGS, parseText)) ?? [],
    layers: value.get('Layers').list(MAX_LAYERS, parseText),
  };
}

function parseText(value: JsonValue): string {
  return value.text((text) => text.length <= MAX_TEXT_LENGTH, 'a short text');
}
