import type { Inventory, RuntimeContainer, RuntimeImage } from './runtimes/runtime.ts';

/** As many as the core takes; a node has some hundred of both. */
const MAX_IMAGES = 5_000;
const MAX_CONTAINERS = 10_000;
/** As many as the core keeps of an image. */
const MAX_NAMES = 128;
/** What a pod could say: a name of an image is of letters, digits and signs, and a text of the core no longer. */
const POSSIBLE = /^[!-~]{1,512}$/;
const MAX_TEXT_LENGTH = 512;
/** The core takes messages of 8 MiB; beside these two there is half a MiB of digests, and what frames it all. */
const MAX_CONTAINERS_LENGTH = 3 * 1024 * 1024;
const MAX_NAMES_LENGTH = 3 * 1024 * 1024;

/**
 * What an agent works with of what is on a node, what runs before all else. Whoever may start pods, or build images, can
 * put there what he likes, and must not thereby keep the agent from telling of the rest.
 */
export function boundedInventory({ images, containers }: Inventory): Inventory {
  const isRunning = new Set(containers.flatMap(({ image, running }) => (running ? [image] : [])));
  const kept = firstOf(images, MAX_IMAGES, ({ digest }) => [isRunning.has(digest), digest]);
  return { images: withFewNames(kept), containers: boundedContainers(containers) };
}

/** The first so many, those that run before others; all of them, as they stand, if they are no more. */
function firstOf<T>(
  all: readonly T[],
  most: number,
  order: (each: T) => readonly [boolean, string],
): readonly T[] {
  if (all.length <= most) return all;
  // In an order of their own, for the same ones are to be left out each time.
  return all
    .map((each) => ({ each, order: order(each) }))
    .sort((a, b) => Number(b.order[0]) - Number(a.order[0]) || (a.order[1] < b.order[1] ? -1 : 1))
    .slice(0, most)
    .map(({ each }) => each);
}

function boundedContainers(containers: readonly RuntimeContainer[]): readonly RuntimeContainer[] {
  const kept = firstOf(containers, MAX_CONTAINERS, ({ id, running }) => [running, id]).map(withShortTexts);
  const sized = kept.map((container) => ({ container, length: lengthOf(container) }));
  let left = MAX_CONTAINERS_LENGTH;
  if (sized.reduce((sum, { length }) => sum + length, 0) <= left) return kept;
  // Whoever gives his containers long names loses them first.
  return sized
    .sort((a, b) => Number(b.container.running) - Number(a.container.running) || a.length - b.length)
    .filter(({ length }) => {
      left -= length;
      return left >= 0;
    })
    .map(({ container }) => container);
}

/** Where pods are not the API server's, as on a machine with Docker, these are labels that anyone may set. */
function withShortTexts(container: RuntimeContainer): RuntimeContainer {
  const { name, namespace, pod, podUid } = container;
  if (Math.max(name.length, namespace.length, pod.length, podUid.length) <= MAX_TEXT_LENGTH) return container;
  const cut = (text: string): string => text.slice(0, MAX_TEXT_LENGTH).toWellFormed();
  return { ...container, name: cut(name), namespace: cut(namespace), pod: cut(pod), podUid: cut(podUid) };
}

function lengthOf({ id, name, namespace, pod, podUid, image }: RuntimeContainer): number {
  return Buffer.byteLength(id + name + namespace + pod + podUid + image);
}

/** One name of each image after another, so that no image takes the names of others. */
function withFewNames(images: readonly RuntimeImage[]): readonly RuntimeImage[] {
  const all = images.map(({ digest, aliases }) => ({ digest, aliases: fewNames(aliases) }));
  let left = MAX_NAMES_LENGTH;
  const total = all.reduce(
    (sum, { aliases }) => sum + aliases.reduce((own, name) => own + name.length, 0),
    0,
  );
  if (total <= left) return all;
  const kept = all.map(({ digest }) => ({ digest, aliases: [] as string[] }));
  for (let turn = 0; turn < MAX_NAMES; turn++) {
    for (const [index, { aliases }] of all.entries()) {
      const name = aliases[turn];
      if (name === undefined || name.length > left) continue;
      left -= name.length;
      kept[index]?.aliases.push(name);
    }
  }
  return kept;
}

/** Those with a digest first, as the core has them: tags are put to digests by them. */
function fewNames(names: readonly string[]): readonly string[] {
  const possible = names.filter((name) => POSSIBLE.test(name));
  if (possible.length <= MAX_NAMES) return possible;
  const { digests = [], tags = [] } = Object.groupBy(possible, (name) =>
    name.includes('sha256:') ? 'digests' : 'tags',
  );
  return [...digests.sort(), ...tags.sort()].slice(0, MAX_NAMES);
}
