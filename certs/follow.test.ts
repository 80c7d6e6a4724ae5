import { noLog } from '@gatehouse/lib/log.ts';
import type { KubernetesObject } from '@kubernetes/client-node';
import { describe, expect, it } from 'vitest';
import type { ApiObject } from './api-object.ts';
import { follow } from './follow.ts';
import type { ObjectEvent } from './watch-object.ts';

type Watch = (
  version: string | undefined,
  onEvent: (event: ObjectEvent<KubernetesObject>) => void,
) => string | undefined;

const version = (resourceVersion: string): KubernetesObject => ({ metadata: { resourceVersion } });

/** An object that answers by a script: each watch is the next of `watches`; after the last one nothing happens any more. */
function scripted(reads: readonly (KubernetesObject | undefined)[], watches: readonly Watch[]) {
  const read = reads.values();
  const watch = watches.values();
  const finished = Promise.withResolvers<void>();
  const object: ApiObject<KubernetesObject> = {
    title: 'object',
    read: async () => read.next().value,
    patch: async () => version('0'),
    async watch(from, onEvent, signal) {
      const next = watch.next().value;
      if (next) return next(from, onEvent);
      finished.resolve();
      await new Promise((resolve) => signal.addEventListener('abort', resolve));
      return undefined;
    },
  };
  return { object, finished: finished.promise };
}

async function told(
  reads: readonly (KubernetesObject | undefined)[],
  watches: readonly Watch[],
): Promise<unknown[]> {
  const states: unknown[] = [];
  const { object, finished } = scripted(reads, watches);
  await using _ = follow(object, (state) => states.push(state?.metadata?.resourceVersion), noLog);
  await finished;
  return states;
}

describe('following an object', () => {
  it('tells what is there, each change, and that it is gone; a bookmark is no change', async () => {
    const change: Watch = (_, onEvent) => {
      onEvent({ kind: 'present', object: version('2') });
      onEvent({ kind: 'bookmark', object: version('3') });
      onEvent({ kind: 'gone', object: version('4') });
      return '4';
    };
    expect(await told([version('1')], [change])).toEqual(['1', '2', undefined]);
  });

  it('resumes where a watch ended, without reading anew', async () => {
    const from: unknown[] = [];
    const note =
      (next: string): Watch =>
      (version) => {
        from.push(version);
        return next;
      };
    expect(await told([version('1')], [note('5'), note('6'), note('7')])).toEqual(['1']);
    expect(from).toEqual(['1', '5', '6']);
  });

  it('watches from now on for what does not exist yet', async () => {
    const appear: Watch = (from, onEvent) => {
      expect(from).toBeUndefined();
      onEvent({ kind: 'present', object: version('2') });
      return '2';
    };
    expect(await told([undefined], [appear])).toEqual([undefined, '2']);
  });

  it('reads again, and goes on from there, when a watch breaks', async () => {
    const from: unknown[] = [];
    const broken: Watch = () => {
      throw new Error('410 too old');
    };
    const note: Watch = (version) => {
      from.push(version);
      return version;
    };
    expect(await told([version('1'), version('9')], [broken, note])).toEqual(['1', '9']);
    expect(from).toEqual(['9']);
  });
});
