/** Where in an object an image is named. */
export type Position = 'container' | 'init' | 'ephemeral' | 'volume';

/** An image as an object names it. */
export interface NamedImage {
  /** The name of the container, or of the volume. */
  readonly container: string;
  readonly position: Position;
  /** As written in the object; may be empty or nonsense, since admission comes before validation. */
  readonly reference: string;
  /** JSON pointer of the reference in the object. */
  readonly pointer: string;
}

/** Where the pod specification lies in each kind that bears one, by `group/Kind`. */
const podSpecPaths: Readonly<Record<string, readonly string[]>> = {
  '/Pod': ['spec'],
  '/PodTemplate': ['template', 'spec'],
  '/ReplicationController': ['spec', 'template', 'spec'],
  'apps/Deployment': ['spec', 'template', 'spec'],
  'apps/ReplicaSet': ['spec', 'template', 'spec'],
  'apps/StatefulSet': ['spec', 'template', 'spec'],
  'apps/DaemonSet': ['spec', 'template', 'spec'],
  'batch/Job': ['spec', 'template', 'spec'],
  'batch/CronJob': ['spec', 'jobTemplate', 'spec', 'template', 'spec'],
};

/** The lists of a pod specification that name images, and where in their items the reference stands. */
const imageLists: readonly { list: string; position: Position; reference: readonly string[] }[] = [
  { list: 'initContainers', position: 'init', reference: ['image'] },
  { list: 'containers', position: 'container', reference: ['image'] },
  { list: 'ephemeralContainers', position: 'ephemeral', reference: ['image'] },
  { list: 'volumes', position: 'volume', reference: ['image', 'reference'] },
];

export interface Kind {
  readonly group: string;
  readonly kind: string;
}

/** Whether objects of the kind name images that some kubelet will run. */
export function bearsImages(kind: Kind): boolean {
  return Object.hasOwn(podSpecPaths, `${kind.group}/${kind.kind}`);
}

/** Every image that an object of the kind names, in all positions, in the order of the object. */
export function imagesOf(kind: Kind, object: unknown): NamedImage[] {
  const path = podSpecPaths[`${kind.group}/${kind.kind}`];
  if (!path) return [];
  const spec = at(object, path);
  return imageLists.flatMap(({ list, position, reference }) => {
    const items = at(spec, [list]);
    if (!Array.isArray(items)) return [];
    return items.flatMap((item: unknown, index) => {
      const named = at(item, reference);
      const isImageVolume = position !== 'volume' || at(item, ['image']) !== undefined;
      if (!isImageVolume) return [];
      return {
        container: String(at(item, ['name']) ?? index),
        position,
        reference: typeof named === 'string' ? named : '',
        pointer: `/${[...path, list, index, ...reference].join('/')}`,
      };
    });
  });
}

/** The value at a path of own properties, undefined where it ends early. */
function at(value: unknown, path: readonly string[]): unknown {
  let current = value;
  for (const name of path) {
    if (typeof current !== 'object' || current === null || !Object.hasOwn(current, name)) return undefined;
    current = (current as Record<string, unknown>)[name];
  }
  return current;
}
