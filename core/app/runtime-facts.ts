import { cutToBytes } from '@gatehouse/lib/text.ts';
import type { NodeName } from '../datastore/aliases.ts';
import { findImage } from '../datastore/images.ts';
import {
  type DriftedFile,
  type DriftRow,
  driftKinds,
  imageOfContainer,
  insertDrift,
  insertLoadedFiles,
  listDrift,
} from '../datastore/runtime-facts.ts';
import { CoreError } from '../errors.ts';
import type { App } from './app.ts';
import { shortText } from './names.ts';

/** A large program maps 200 files; an image of many tools runs some more of them over the months. */
const MAX_LOADED_FILES = 2_000;
/** Who writes and runs programs without end is told of well enough by the first ones. */
const MAX_DRIFT = 50;
/** In bytes, for PostgreSQL indexes no more than 2,704. Package managers that nest their folders make the longest, of 300. */
const MAX_PATH_BYTES = 1_024;

/** What a container was seen to run. */
export interface RuntimeFacts {
  readonly container: string;
  readonly loaded: readonly string[];
  readonly drift: readonly { readonly path: string; readonly kind: string }[];
}

/**
 * Takes in which files of its image a container runs, and has the image composed anew if any of them is new; and what
 * it runs that is not of its image. A node speaks for the containers that it has reported: of others, and of images
 * that are not known yet, nothing is kept, and it gives false.
 */
export async function reportRuntimeFacts(app: App, node: NodeName, report: RuntimeFacts): Promise<boolean> {
  const { container, loaded, drift } = parseFacts(report);
  const kept = await app.database.transaction(async (sql) => {
    const digest = await imageOfContainer(sql, node, container);
    // Whoever composes it at this moment might have looked for such files already.
    const image = digest && (await findImage(sql, digest, { lock: true }));
    if (!image) return undefined;
    const added = await insertLoadedFiles(sql, image.digest, { paths: loaded, most: MAX_LOADED_FILES });
    if (added > 0 && image.composedBy !== null) {
      const catalogerVersion = image.composedBy;
      await app.jobs.send(sql, 'compose-image', { image: image.digest, catalogerVersion });
    }
    return insertDrift(sql, node, { container, files: drift, most: MAX_DRIFT });
  });
  for (const file of kept ?? [])
    app.log.warn({ ...node, container, ...file }, 'a container runs a program that is not of its image');
  return kept !== undefined;
}

/** What containers run that is not of their images. */
export function drift(app: App, page: { after: number; limit: number }): Promise<DriftRow[]> {
  return listDrift(app.database, page);
}

function parseFacts({ container, loaded, drift }: RuntimeFacts) {
  if (loaded.length > MAX_LOADED_FILES || drift.length > MAX_DRIFT) {
    throw new CoreError('invalid_request', `${loaded.length} loaded and ${drift.length} drifted files`, {
      hint: `The most are ${MAX_LOADED_FILES} and ${MAX_DRIFT}.`,
    });
  }
  return {
    container: shortText('container id', container),
    // What of an image is called otherwise is of no package.
    loaded: loaded.filter((path) => path !== '' && path === printable(path)),
    drift: drift.map(({ path, kind }) => ({ path: printable(path), kind: parseKind(kind) })),
  };
}

/**
 * Names of files may hold anything, and whoever runs a program chooses its name: an odd one is told as it can be, and costs
 * the others of its report nothing.
 */
function printable(path: string): string {
  return cutToBytes(path.toWellFormed().replace(/\p{Cc}/gu, '?'), MAX_PATH_BYTES);
}

function parseKind(text: string): DriftedFile['kind'] {
  const kind = driftKinds.find((each) => each === text);
  if (kind) return kind;
  throw new CoreError('invalid_request', `kind is not one of ${driftKinds.join(', ')}`);
}
