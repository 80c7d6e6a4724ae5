import { posix } from 'node:path';
import { SbomError } from '../errors.ts';
import { DiskFolder } from './disk-folder.ts';
import { StillFolder } from './host-folder.ts';
import { LiveFolder } from './live-folder.ts';
import { LowerEvidence } from './lower-evidence.ts';
import type { Examiner } from './read-file.ts';

/** A running container of the image: its root as it sees it, and the folder that takes what it writes. */
export interface ContainerRoot {
  readonly merged: string;
  /** Left out for a mount that nobody writes to. */
  readonly upper?: string | undefined;
}

/**
 * - `clear`: entries of lower layers show through, above whatever layers.
 * - `opaque`: none do, above whatever layers.
 * - `opaque-here`: none do above these layers; it may be the mark of a folder above it, or of a layer in between.
 * - `new`: no lower layer has the folder, so that a mark would change nothing here.
 * - `idle`: what lower layers have in the folder proves nothing, so that a mark would change nothing that counts.
 */
export type Judgement = 'clear' | 'opaque' | 'opaque-here' | 'new' | 'idle';

/**
 * Tells the opaque folders of a layer without the extended attribute that marks them, trusted.overlay.opaque, which
 * takes CAP_SYS_ADMIN to read. What is visible in the merged root decides:
 *
 * - A name in the merged folder that no layer has recorded from some layer up shows through all of those layers, so
 *   none of them is opaque there.
 * - A name that the next lower layer with the folder has, that neither this layer nor any above has recorded, and that
 *   is absent from the merged folder, was hidden by a mark. It is none of a layer above if those are proven clear by
 *   the first rule. It is this folder's own if its parents are proven clear as well, down to that next lower layer.
 *
 * If neither decides, and evidence in a lower layer depends on it, the folders do not suffice.
 */
export class OpacityJudge {
  /** From bottom to top. */
  readonly #layers: readonly DiskFolder[];
  readonly #index: number;
  readonly #root: string;
  readonly #upper: string | undefined;
  readonly #merged: DiskFolder | undefined;
  readonly #evidence: LowerEvidence;

  /** `examiner` looks into the content of files; left out, it is done here. */
  constructor(
    layers: readonly string[],
    index: number,
    { container, examiner }: { container?: ContainerRoot | undefined; examiner?: Examiner | undefined } = {},
  ) {
    this.#layers = layers.map((root) => new DiskFolder(new StillFolder(root)));
    this.#index = index;
    this.#root = layers[index] ?? '';
    this.#upper = container?.upper;
    this.#merged = container && new DiskFolder(new LiveFolder(container.merged));
    this.#evidence = new LowerEvidence(examiner);
  }

  /** Throws SbomError `opacity_unknown`. `path` is a folder of the layer below the root, `own` the names in it there. */
  async judge(path: string, own: ReadonlySet<string>): Promise<Judgement> {
    const lower = this.#lowerFolders(path);
    const nearest = lower.at(0);
    if (nearest === undefined) return 'new';
    if (this.#showsThrough(path, this.#index)) return 'clear';
    if (this.#lacksName(path, own, nearest) && this.#showsThrough(path, this.#index + 1)) {
      const isItself = parentsOf(path).every((parent) => this.#showsThrough(parent, nearest + 1));
      return isItself ? 'opaque' : 'opaque-here';
    }
    const lowerLayers = lower.flatMap((layer) => this.#layers[layer] ?? []);
    if (!(await this.#evidence.isIn(lowerLayers, path, own))) return 'idle';
    throw new SbomError('opacity_unknown', `it cannot be told whether '${path}' is opaque in ${this.#root}`, {
      hint: 'Read the layer from its archive, or while a container of the image runs.',
    });
  }

  /** The layers below that show the folder if no mark hides it, the nearest first. */
  #lowerFolders(path: string): number[] {
    const found: number[] = [];
    for (let layer = this.#index - 1; layer >= 0; layer--) {
      const entry = this.#layers[layer]?.entry(path);
      if (entry === 'folder') found.push(layer);
      else if (entry !== 'absent') break;
    }
    return found;
  }

  /**
   * The layers from one up, and on top what the container has written. That is looked at anew, and always after the
   * merged root: a name that the container takes away between the two looks leaves a whiteout that the second one sees.
   */
  #layersFrom(index: number): DiskFolder[] {
    const upper = this.#upper === undefined ? [] : [new DiskFolder(new LiveFolder(this.#upper))];
    return [...this.#layers.slice(index), ...upper];
  }

  /** Whether the folder is not opaque in any layer from this one up: they lack it, or a name shows through them all. */
  #showsThrough(path: string, from: number): boolean {
    const visible = this.#merged?.names(path) ?? new Set();
    const layers = this.#layersFrom(from);
    if (layers.every((layer) => layer.entry(path) === 'absent')) return true;
    const recorded = layers.map((layer) => layer.names(path));
    return [...visible].some((name) => recorded.every((names) => !names.has(name)));
  }

  /** Whether a name that the next lower layer shows is absent from the merged folder, and no layer says why. */
  #lacksName(path: string, own: ReadonlySet<string>, nearest: number): boolean {
    const merged = this.#merged;
    const lower = this.#layers[nearest];
    if (lower === undefined || merged?.entry(path) !== 'folder') return false;
    const recorded = [
      merged.names(path),
      own,
      ...this.#layersFrom(this.#index + 1).map((layer) => layer.names(path)),
    ];
    return [...lower.names(path)].some(
      (name) => recorded.every((names) => !names.has(name)) && lower.entry(`${path}/${name}`) !== 'whiteout',
    );
  }
}

/** All folders above a path but the root, which is never opaque. */
function parentsOf(path: string): string[] {
  const parent = posix.dirname(path);
  return parent === '.' ? [] : [...parentsOf(parent), parent];
}
