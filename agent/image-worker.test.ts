import { mkdtempDisposable } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { CoreClientError } from '@gatehouse/core-client';
import { noLog } from '@gatehouse/lib/log.ts';
import { chainIds, decodeFragment } from '@gatehouse/sbom';
import { beforeEach, describe, expect, it, vi } from 'vitest';
import { bringImage, originOf } from './image-worker.ts';
import { Outbox } from './outbox.ts';
import type { RuntimeImage } from './runtimes/runtime.ts';
import { digestOf, MemoryCore, MemoryNode, partsOf } from './testing/node.ts';

let node: MemoryNode;
let core: MemoryCore;
beforeEach(() => {
  node = new MemoryNode();
  core = new MemoryCore();
});

async function bring(image: RuntimeImage, signal = new AbortController().signal) {
  return bringImage(partsOf(node, core), originOf(node, await node.inventory()), image, signal);
}

describe('an image of a node', () => {
  it('is described when the core asks for it, and its layers are read and sent from the bottom to the top', async () => {
    const image = node.add('base', 'middle', 'top');
    expect(await bring(image)).toEqual({ whole: true });
    expect(core.calls).toEqual([
      'missingLayers named',
      'missingLayers described',
      'uploadLayer',
      'uploadLayer',
      'uploadLayer',
    ]);
    expect([...core.layers.keys()]).toEqual(['base', 'middle', 'top'].map(digestOf));
    const top = core.layers.get(digestOf('top'));
    expect(top?.chainId).toBe(chainIds(['base', 'middle', 'top'].map(digestOf))[2]);
    expect((await decodeFragment(top?.content ?? Buffer.alloc(0))).files).toEqual([digestOf('top')]);
  });

  it('that the core knows costs one call, and nothing is asked of the runtime', async () => {
    const image = node.add('base', 'top');
    await bring(image);
    core.calls.length = 0;
    node.layersOf = () => Promise.reject(new Error('nobody asks for this'));
    expect(await bring(image)).toEqual({ whole: true });
    expect(core.calls).toEqual(['missingLayers named']);
  });

  it('has only those layers read that the core lacks, each once', async () => {
    await bring(node.add('base', 'one'));
    await bring(node.add('base', 'two', 'same', 'same'));
    expect(node.read).toEqual(['base', 'one', 'two', 'same'].map(digestOf));
  });

  it('has a layer read in each place that it has, where what it says holds in that one only', async () => {
    const uploads: string[] = [];
    core.uploadLayer = async (layer) => {
      uploads.push(layer.chainId);
      core.layers.set(layer.diffId, layer);
    };
    node.catalogBlob = async (blob) => {
      const { fragment } = await MemoryNode.prototype.catalogBlob.call(node, blob);
      return { fragment: { ...fragment, opacity: blob.name === digestOf('twice') ? 'chain' : 'exact' } };
    };
    expect(await bring(node.add('twice', 'between', 'twice', 'between'))).toEqual({ whole: true });
    const chains = chainIds(['twice', 'between', 'twice'].map(digestOf));
    expect(uploads.toSorted()).toEqual([...chains].toSorted());
  });

  it('has what waits of a layer sent for each place that it has, and the rest read', async () => {
    await using folder = await mkdtempDisposable(path.join(tmpdir(), 'gatehouse-outbox-'));
    const outbox = await Outbox.open(folder.path, 1_000_000, noLog);
    node.catalogBlob = async (blob) => {
      const { fragment } = await MemoryNode.prototype.catalogBlob.call(node, blob);
      return { fragment: { ...fragment, opacity: 'chain' } };
    };
    const image = node.add('twice', 'twice');
    const chains = chainIds(['twice', 'twice'].map(digestOf));
    const bringNow = async () =>
      bringImage({ ...partsOf(node, core), outbox }, originOf(node, await node.inventory()), image, none());
    const uploads: string[] = [];
    core.uploadLayer = async ({ chainId }) => {
      // It goes away after the first.
      if (uploads.length > 0) throw new CoreClientError('core_unavailable', 'away');
      uploads.push(chainId);
    };
    await expect(bringNow()).rejects.toThrow('away');
    core.uploadLayer = async ({ chainId }) => void uploads.push(chainId);
    expect(await bringNow()).toEqual({ whole: true });
    expect(outbox.isEmpty).toBe(true);
    expect(new Set(uploads)).toEqual(new Set(chains));
  });

  it('goes on without a layer that cannot be read, and says why', async () => {
    node.unreadable.add(digestOf('lost'));
    expect(await bring(node.add('base', 'lost', 'top'))).toEqual({ whole: false });
    expect([...core.layers.keys()]).toEqual(['base', 'top'].map(digestOf));
    expect(core.unreadable.get(digestOf('lost'))).toContain('the node has not kept the blob');
    expect(core.released).toEqual([]);
  });

  it('has a layer told as unreadable that the node does not know of', async () => {
    const image = node.add('base');
    core.images.set(image.digest, ['base', 'unheard of'].map(digestOf));
    expect(await bring(image)).toEqual({ whole: false });
    expect([...core.unreadable.keys()]).toEqual([digestOf('unheard of')]);
  });

  it('has left to other nodes what they work at, and is to be asked for when the first of them may be done', async () => {
    core.leasedToOthers.set(digestOf('base'), 90_000).set(digestOf('middle'), 30_000);
    expect(await bring(node.add('base', 'middle', 'top'))).toEqual({ whole: true, askAgainInMs: 30_000 });
    expect(node.read).toEqual([digestOf('top')]);
  });
});

describe('the leases on the layers of an image', () => {
  it('are renewed while the work at it lasts, for those layers that nothing came of yet', async () => {
    vi.useFakeTimers({ toFake: ['setInterval', 'clearInterval'] });
    const reading = Promise.withResolvers<void>();
    const go = Promise.withResolvers<void>();
    node.catalogBlob = async (blob) => {
      if (blob.name === digestOf('top')) {
        reading.resolve();
        await go.promise;
      }
      return MemoryNode.prototype.catalogBlob.call(node, blob);
    };
    const held: (readonly string[])[] = [];
    core.holdLayers = async ({ diffIds }) => void held.push([...diffIds]);
    const bringing = bring(node.add('base', 'top'));
    await reading.promise;
    vi.advanceTimersByTime(core.leaseMs - 1);
    expect(held).toEqual([[digestOf('top')], [digestOf('top')]]);
    go.resolve();
    await bringing;
    vi.advanceTimersByTime(core.leaseMs * 3);
    expect(held).toHaveLength(2);
    vi.useRealTimers();
  });

  it('are given back when the work at it fails', async () => {
    const { core: client, ...parts } = partsOf(node, core);
    node.placesOf = () => Promise.reject(new Error('the runtime stumbles'));
    const image = node.add('base', 'top');
    const bringing = bringImage(
      { ...parts, core: client },
      originOf(node, await node.inventory()),
      image,
      none(),
    );
    await expect(bringing).rejects.toThrow('stumbles');
    expect(core.released).toEqual(['base', 'top'].map(digestOf));
  });

  it('are given back when the agent ends in the midst of it', async () => {
    const ending = new AbortController();
    core.uploadLayer = async ({ diffId }) => {
      ending.abort();
      throw new CoreClientError('core_unavailable', `cancelled ${diffId}`);
    };
    await expect(bring(node.add('base', 'top'), ending.signal)).rejects.toThrow('cancelled');
    expect(core.released).toEqual(['base', 'top'].map(digestOf));
  });

  it('hold nothing up when they can neither be renewed nor given back', async () => {
    core.holdLayers = () => Promise.reject(new CoreClientError('core_unavailable', 'away'));
    node.placesOf = () => Promise.reject(new Error('the runtime stumbles'));
    await expect(bring(node.add('base'))).rejects.toThrow('stumbles');
  });
});

const none = (): AbortSignal => new AbortController().signal;
