import { describe, expect, it } from 'vitest';
import { PageFile } from './page-file.ts';

describe('a file of pages', () => {
  const file = new PageFile(Buffer.from('aaaabbbbcc'), 4);

  it('has whole pages only', () => {
    expect(file.pages).toBe(2);
    expect(file.at(1)?.toString()).toBe('bbbb');
    for (const page of [2, -1, Number.NaN, 2 ** 40]) expect(file.at(page)).toBeUndefined();
  });

  it('lets each be taken once', () => {
    expect(file.take(1)?.toString()).toBe('bbbb');
    for (const page of [1, 2, -1]) expect(file.take(page)).toBeUndefined();
  });
});
