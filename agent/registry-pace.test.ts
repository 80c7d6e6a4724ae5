import { Readable } from 'node:stream';
import { setTimeout as delay } from 'node:timers/promises';
import { describe, expect, it } from 'vitest';
import { paced } from './registry-pace.ts';

/** One byte after the other, and no end. */
async function* dripping(): AsyncGenerator<Buffer> {
  for (;;) {
    await delay(1);
    yield Buffer.from('x');
  }
}
const read = (source: Readable): Promise<readonly Buffer[]> =>
  Array.fromAsync(source as AsyncIterable<Buffer>);

describe('what a registry sends', () => {
  it('comes through as it is', async () => {
    const source = Readable.from([Buffer.from('one'), Buffer.from('two')], { objectMode: false });
    expect(Buffer.concat(await read(paced(source, 'registry.test'))).toString()).toBe('onetwo');
  });

  it('is left when it drips, as that of a registry that is away', async () => {
    const source = Readable.from(dripping(), { objectMode: false });
    const pace = { bytesPerSecond: 1_000_000, graceMs: 20 };
    await expect(read(paced(source, 'registry.test', pace))).rejects.toMatchObject({
      code: 'registry_unreachable',
      isTransient: true,
    });
    expect(source.destroyed).toBe(true);
  });

  it('may be read as slowly as its reader likes', async () => {
    const source = Readable.from(
      Array.from({ length: 10 }, () => Buffer.alloc(65_536)),
      { objectMode: false },
    );
    let bytes = 0;
    for await (const chunk of paced(source, 'registry.test', {
      bytesPerSecond: 1_000_000_000,
      graceMs: 60,
    })) {
      bytes += (chunk as Buffer).length;
      await delay(10);
    }
    expect(bytes).toBe(655_360);
  });
});
