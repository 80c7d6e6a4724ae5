import { noLog } from '@gatehouse/lib/log.ts';
import { describe, expect, it } from 'vitest';
import { MemoryNode } from '../testing/node.ts';
import { joinRuntimes } from './joined.ts';

const soon = (): AbortSignal => AbortSignal.timeout(10_000);
const fails = async (): Promise<never> => {
  throw new Error('it is away');
};

describe('several runtimes of one machine', () => {
  it('are one of which everything is told, each image once', async () => {
    const [one, other] = [new MemoryNode(), new MemoryNode()];
    const shared = one.add('base');
    other.add('base');
    const own = other.add('base', 'app');
    other.running.add(own.digest);
    const joined = joinRuntimes([one, other], noLog);
    const { images, containers } = await joined.inventory(soon());
    expect(images.map(({ digest }) => digest)).toEqual([shared.digest, own.digest]);
    expect(containers.map(({ image }) => image)).toEqual([own.digest]);
    expect(joined.title).toBe('memory 1 and memory 1');
  });

  it('are asked for an image where it runs, else where it is', async () => {
    const [one, other] = [new MemoryNode(), new MemoryNode()];
    const image = one.add('base');
    other.add('base');
    other.broken.add(image.digest);
    const joined = joinRuntimes([one, other], noLog);
    await joined.inventory(soon());
    expect((await joined.layersOf(image.digest, soon())).diffIds).toHaveLength(1);
    other.running.add(image.digest);
    await joined.inventory(soon());
    await expect(joined.layersOf(image.digest, soon())).rejects.toMatchObject({ code: 'runtime_failed' });
    await expect(joined.layersOf('none', soon())).rejects.toMatchObject({ code: 'image_gone' });
  });

  it('keep what one of them had that does not answer, and fail if none does', async () => {
    const [one, other] = [new MemoryNode(), new MemoryNode()];
    const image = other.add('base');
    const joined = joinRuntimes([one, other], noLog);
    await joined.inventory(soon());
    other.inventory = fails;
    expect((await joined.inventory(soon())).images).toMatchObject([{ digest: image.digest }]);
    one.inventory = fails;
    await expect(joined.inventory(soon())).rejects.toThrow('it is away');
  });

  it('tell of changes as long as one of them does', async () => {
    const [silent, telling] = [new MemoryNode(), new MemoryNode()];
    silent.watch = async () => undefined;
    const ending = new AbortController();
    const changed = Promise.withResolvers<void>();
    let ended = false;
    const watching = joinRuntimes([silent, telling], noLog)
      .watch(changed.resolve, ending.signal)
      .finally(() => {
        ended = true;
      });
    telling.changed();
    await changed.promise;
    expect(ended).toBe(false);
    ending.abort();
    await watching;
  });

  it('are just that one if there is one', () => {
    const only = new MemoryNode();
    expect(joinRuntimes([only], noLog)).toBe(only);
  });
});
