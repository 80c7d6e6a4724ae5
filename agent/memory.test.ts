import { memoryUsage } from 'node:process';
import { expect, it } from 'vitest';
import { giveBackMemory } from './memory.ts';

it('gives back what is no longer used', () => {
  let large: unknown[] | undefined = Array.from({ length: 500_000 }, (_, index) => ({ index }));
  const before = memoryUsage().heapTotal;
  expect(large).toHaveLength(500_000);
  large = undefined;
  giveBackMemory();
  expect(memoryUsage().heapTotal).toBeLessThan(before - 10_000_000);
});
