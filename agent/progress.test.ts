import { noLog } from '@gatehouse/lib/log.ts';
import { expect, it, vi } from 'vitest';
import { Progress } from './progress.ts';

it('is told every ten seconds, and not at all where all is done by then', () => {
  const info = vi.spyOn(noLog, 'info');
  let now = 0;
  const progress = new Progress(noLog, 100, () => now);
  for (let image = 0; image < 100; image++) {
    now += 300;
    progress.step();
  }
  expect(info.mock.calls.map(([said]) => said)).toEqual([
    { done: 34, of: 100 },
    { done: 68, of: 100 },
  ]);
});
