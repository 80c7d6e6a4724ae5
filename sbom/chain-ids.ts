import { createHash } from 'node:crypto';

/**
 * The chain id of each layer: it names the layer together with all below it.
 * OCI image specification, config.md, "Layer ChainID".
 */
export function chainIds(diffIds: readonly string[]): string[] {
  const ids: string[] = [];
  for (const diffId of diffIds) {
    const below = ids.at(-1);
    ids.push(
      below === undefined
        ? diffId
        : `sha256:${createHash('sha256').update(`${below} ${diffId}`).digest('hex')}`,
    );
  }
  return ids;
}
