import type { NodeName } from '../datastore/aliases.ts';
import type { Sql } from '../datastore/database.ts';
import { countSaidBy, findImage } from '../datastore/images.ts';
import { CoreError } from '../errors.ts';
import { nameOf } from './nodes.ts';

/**
 * Agents send the configuration of an image, which proves what it is made of, wherever it can be read. What is left are
 * images that their node has lost a part of, and made-up ones.
 */
const MAX_UNPROVEN = 200;

/** An image can become known by a node's word alone only if not too many have. Throws CoreError `too_many_unproven`. */
export async function mustHaveRoom(sql: Sql, node: NodeName, image: string): Promise<void> {
  if (await findImage(sql, image)) return;
  const count = await countSaidBy(sql, nameOf(node), image);
  if (count < MAX_UNPROVEN) return;
  throw new CoreError('too_many_unproven', `${count} images are known by the word of ${nameOf(node)} alone`, {
    hint: 'Have a node with the configuration of the image bring it, or look what is wrong with this one.',
  });
}
