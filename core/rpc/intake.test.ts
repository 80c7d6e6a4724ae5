import { describe, expect, it } from 'vitest';
import { Intake } from './intake.ts';

const settled = () => new Promise((resolve) => setImmediate(resolve));
const node = (name: string) => ({ cluster: 'test', node: name });
const { signal } = new AbortController();

describe('the intake of uploads', () => {
  it('reads four at a time, and the next one when one of them is done', async () => {
    const intake = new Intake();
    const begun: string[] = [];
    const ends = new Map<string, () => void>();
    const upload = (name: string) =>
      intake.during(node(name), signal, () => {
        begun.push(name);
        return new Promise<void>((resolve) => ends.set(name, resolve));
      });
    const uploads = ['a', 'b', 'c', 'd', 'e', 'f'].map(upload);
    await settled();
    expect(begun).toEqual(['a', 'b', 'c', 'd']);
    ends.get('b')?.();
    await uploads[1];
    await settled();
    expect(begun).toEqual(['a', 'b', 'c', 'd', 'e']);
    for (const name of ['a', 'c', 'd', 'e']) ends.get(name)?.();
    await settled();
    ends.get('f')?.();
    await Promise.all(uploads);
  });

  it('takes two of a node, so that no node keeps out the others, and a failed one is over', async () => {
    const intake = new Intake();
    const fails: (() => void)[] = [];
    const upload = () =>
      intake.during(
        node('n1'),
        signal,
        () => new Promise<void>((_, reject) => fails.push(() => reject(new Error('torn')))),
      );
    const [first, second] = [upload(), upload()];
    await expect(upload()).rejects.toMatchObject({ code: 'busy' });
    await expect(intake.during(node('n2'), signal, async () => 'in')).resolves.toBe('in');
    for (const fail of fails) fail();
    for (const each of [first, second]) await expect(each).rejects.toThrow('torn');
    await expect(intake.during(node('n1'), signal, async () => 'in')).resolves.toBe('in');
  });
});
