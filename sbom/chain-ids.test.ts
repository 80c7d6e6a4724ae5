import { createHash } from 'node:crypto';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { chainIds } from './chain-ids.ts';

const sha256 = (text: string): string => `sha256:${createHash('sha256').update(text).digest('hex')}`;
const digests = fc.array(
  fc.nat().map((n) => sha256(`${n}`)),
  { maxLength: 8 },
);

/** ChainID(L₀|…|Lₙ) as the OCI image specification defines it: from the top down, where ours goes up. */
function chainId(diffIds: readonly string[]): string {
  const top = diffIds.at(-1) ?? '';
  return diffIds.length === 1 ? top : sha256(`${chainId(diffIds.slice(0, -1))} ${top}`);
}

describe('the chain ids of layers', () => {
  it('begin with the diff id of the lowest layer, which has nothing below it', () => {
    const diffId = sha256('base');
    expect(chainIds([diffId])).toEqual([diffId]);
    expect(chainIds([])).toEqual([]);
  });

  it('are digests of the chain id below and the diff id, as sha256sum makes them', () => {
    expect(chainIds([`sha256:${'a'.repeat(64)}`, `sha256:${'b'.repeat(64)}`])[1]).toBe(
      'sha256:ccd722928bd92476ba1745586fed6e45a102504185ad88cd89e01ff116fd146c',
    );
  });

  it('are what the specification says for each stack of layers from the bottom', () => {
    fc.assert(
      fc.property(digests, (diffIds) => {
        expect(chainIds(diffIds)).toEqual(diffIds.map((_, index) => chainId(diffIds.slice(0, index + 1))));
      }),
    );
  });

  it('differ from the first layer on that differs, and only from there on', () => {
    fc.assert(
      fc.property(digests, digests, (below, above) => {
        const one = chainIds([...below, sha256('one'), ...above]);
        const other = chainIds([...below, sha256('other'), ...above]);
        for (const [index, id] of one.entries()) expect(id === other[index]).toBe(index < below.length);
      }),
    );
  });
});
