import { describe, expect, it } from 'vitest';
import { Turns } from './turns.ts';

/** Has somebody take a turn, and notes when it comes. */
function queueUp(turns: Turns, came: string[], name: string, signal?: AbortSignal) {
  return turns.take(signal).then((turn) => {
    came.push(turn ? name : `${name} refused`);
    return turn;
  });
}

const settled = () => new Promise((resolve) => setImmediate(resolve));

describe('turns', () => {
  it('are taken by so many at a time, then in the order in which they were asked for', async () => {
    const turns = new Turns(2);
    const came: string[] = [];
    const [a, b] = [queueUp(turns, came, 'a'), queueUp(turns, came, 'b')];
    const [c, d] = [queueUp(turns, came, 'c'), queueUp(turns, came, 'd')];
    await settled();
    expect(came).toEqual(['a', 'b']);
    (await b)?.[Symbol.dispose]();
    await settled();
    expect(came).toEqual(['a', 'b', 'c']);
    for (const each of [a, c, d]) (await each)?.[Symbol.dispose]();
    expect(came).toEqual(['a', 'b', 'c', 'd']);
    expect(await turns.take()).toBeDefined();
  });

  it('are refused where too many wait', async () => {
    const turns = new Turns(1, 1);
    const came: string[] = [];
    const [a, b] = [queueUp(turns, came, 'a'), queueUp(turns, came, 'b')];
    await queueUp(turns, came, 'c');
    expect(came).toEqual(['a', 'c refused']);
    (await a)?.[Symbol.dispose]();
    (await b)?.[Symbol.dispose]();
    expect(came).toEqual(['a', 'c refused', 'b']);
  });

  it('pass over whoever has given up waiting', async () => {
    const turns = new Turns(1, 1);
    const came: string[] = [];
    const giveUp = new AbortController();
    const a = queueUp(turns, came, 'a');
    const b = queueUp(turns, came, 'b', giveUp.signal);
    giveUp.abort();
    await expect(b).rejects.toThrow(/aborted/);
    const c = queueUp(turns, came, 'c');
    (await a)?.[Symbol.dispose]();
    (await c)?.[Symbol.dispose]();
    expect(came).toEqual(['a', 'c']);
    await expect(turns.take(giveUp.signal)).rejects.toThrow(/aborted/);
  });
});
