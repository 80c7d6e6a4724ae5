import { create, toBinary } from '@bufbuild/protobuf';
import { ReportNodeRequestSchema } from '@gatehouse/proto/gen/gatehouse/v1/nodes_pb.ts';
import { describe, expect, it } from 'vitest';
import { boundedInventory } from './bounded-inventory.ts';
import type { RuntimeContainer } from './runtimes/runtime.ts';
import { digestOf } from './testing/node.ts';

/** What the core takes in one message (core/rpc/server.ts). */
const MESSAGE_BYTES = 8 * 1024 * 1024;
const many = <T>(count: number, make: (index: number) => T): T[] =>
  Array.from({ length: count }, (_, at) => make(at));
const imageOf = (index: number, aliases: readonly string[] = []) => ({
  digest: digestOf(`${index}`),
  aliases,
});
const containerOf = (index: number, about: Partial<RuntimeContainer> = {}): RuntimeContainer => ({
  id: digestOf(`container ${index}`).slice(7),
  name: 'main',
  namespace: 'shop',
  pod: 'cart',
  podUid: 'u',
  image: digestOf(`${index}`),
  running: true,
  ...about,
});

describe('what an agent works with of a node', () => {
  it('is all that there is on any real one, as it is', () => {
    const inventory = {
      images: many(300, (index) => imageOf(index, ['registry.test/a:1', `registry.test/a@${digestOf('a')}`])),
      containers: many(250, (index) => containerOf(index)),
    };
    expect(boundedInventory(inventory)).toEqual(inventory);
  });

  it('are the images that run before all others, where there are more than the core takes', () => {
    const images = many(6_000, (index) => imageOf(index));
    const containers = many(10, (index) => containerOf(5_990 + index));
    const kept = boundedInventory({ images, containers }).images;
    expect(kept).toHaveLength(5_000);
    expect(
      kept
        .slice(0, 10)
        .map(({ digest }) => digest)
        .sort(),
    ).toEqual(containers.map(({ image }) => image).sort());
    expect(boundedInventory({ images: images.toReversed(), containers }).images).toEqual(kept);
  });

  it('are 128 names of an image, those with a digest first, however many there are', () => {
    const names = [
      ...many(40_000, (index) => `registry.test/tagged:${index}`),
      `registry.test/a@${digestOf('a')}`,
    ];
    const [image] = boundedInventory({ images: [imageOf(1, names)], containers: [] }).images;
    expect(image?.aliases).toHaveLength(128);
    expect(image?.aliases[0]).toContain('@sha256:');
  });

  it('are the containers that run before those that have ended', () => {
    const containers = many(12_000, (index) => containerOf(index, { running: index >= 11_000 }));
    const kept = boundedInventory({ images: [], containers }).containers;
    expect([kept.length, kept.filter(({ running }) => running).length]).toEqual([10_000, 1_000]);
  });

  it('fits into what the core takes in one message, whatever anyone has put there, and leaves no image without a name', () => {
    const long = 'é'.repeat(2_000);
    const inventory = boundedInventory({
      images: many(6_000, (index) =>
        imageOf(
          index,
          many(index === 0 ? 1 : 8, (name) => `registry.test/${'x'.repeat(400)}/${index}:${name}`),
        ),
      ),
      containers: many(12_000, (index) => containerOf(index, { pod: long, name: long, namespace: long })),
    });
    const message = create(ReportNodeRequestSchema, { runtime: 'containerd', ...inventory } as never);
    expect(toBinary(ReportNodeRequestSchema, message).length).toBeLessThan(MESSAGE_BYTES);
    expect(inventory.images.filter(({ aliases }) => aliases.length > 0).length).toBe(5_000);
    expect(inventory.containers.length).toBeGreaterThan(500);
  });
});
