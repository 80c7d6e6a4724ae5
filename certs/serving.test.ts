import { noLog } from '@gatehouse/lib/log.ts';
import { beforeAll, describe, expect, it } from 'vitest';
import { issueGeneration } from './authority.ts';
import { toEntries } from './entries.ts';
import { firstMaterial, type Generation } from './material.ts';
import { parseServingNames } from './names.ts';
import { CertificateHolder, type Offer, offerOf } from './serving.ts';

let one: Generation;
let other: Generation;

beforeAll(async () => {
  const issue = (lifetime: number) =>
    issueGeneration(parseServingNames(['localhost']), { now: new Date(), lifetime });
  [one, other] = await Promise.all([issue(60_000), issue(120_000)]);
});

const offer = ({ leaf, key }: Generation): Offer => ({ cert: leaf.toString(), key });

function holderOf(first: Generation) {
  const holder = new CertificateHolder('test', noLog);
  holder.offer(offer(first));
  const serving = holder.serving(async () => undefined);
  return { holder, serving };
}

describe('a serving certificate', () => {
  it('tells of each change, once', () => {
    const { holder, serving } = holderOf(one);
    const told: string[] = [];
    serving.onChange(({ cert }) => told.push(cert));
    for (const each of [one, other, other, one]) holder.offer(offer(each));
    expect(told).toEqual([other.leaf.toString(), one.leaf.toString()]);
    expect(serving.current()).toMatchObject(offer(one));
  });

  it('stays the last good one if a new one is broken, foreign to its key, or gone', () => {
    const { holder, serving } = holderOf(one);
    const told: string[] = [];
    serving.onChange(({ cert }) => told.push(cert));
    for (const bad of [
      { cert: 'x', key: other.key },
      { cert: other.leaf.toString(), key: one.key },
      { cert: other.leaf.toString(), key: '' },
      { ...offer(other), bundle: 'x' },
      undefined,
    ]) {
      holder.offer(bad);
    }
    expect(serving.current()).toMatchObject(offer(one));
    expect(told).toEqual([]);
  });

  it('tells the others though one listener fails, and nobody who no longer listens', () => {
    const { holder, serving } = holderOf(one);
    const told: string[] = [];
    serving.onChange(() => {
      throw new Error('server closed');
    });
    const gone = serving.onChange(() => told.push('gone'));
    serving.onChange(() => told.push('here'));
    gone[Symbol.dispose]();
    holder.offer(offer(other));
    expect(told).toEqual(['here']);
  });

  it('says when it ends, and when its authority does, if that is known', () => {
    const holder = new CertificateHolder('test', noLog);
    const serving = holder.serving(async () => undefined);
    holder.offer(offer(one));
    expect(serving.current().expiresAt).toEqual({ leaf: one.leaf.validToDate, authority: undefined });
    const texts = toEntries(firstMaterial(other, '')) as Record<string, string>;
    holder.offer(offerOf(texts));
    expect(serving.current().expiresAt).toEqual({
      leaf: other.leaf.validToDate,
      authority: other.authority.validToDate,
    });
  });
});
