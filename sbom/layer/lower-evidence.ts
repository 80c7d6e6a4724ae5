import { catalogerFor } from '../catalogers/table.ts';
import { MAX_ENTRIES } from '../fragment.ts';
import type { DiskFolder } from './disk-folder.ts';
import { examineFile } from './read-file.ts';

/** Looks in layers for what a folder of an upper one would hide if it were opaque, as far as it counts: evidence. */
export class LowerEvidence {
  readonly #known = new Map<DiskFolder, Map<string, boolean>>();
  #looks = 0;

  /** Whether the layers, nearest first, show evidence in a folder, other than under the names in `except`. */
  isIn(layers: readonly DiskFolder[], path: string, except: ReadonlySet<string>): boolean {
    const hidden = new Set(except);
    return layers.some((layer) =>
      [...layer.names(path)].some((name) => {
        const below = `${path}/${name}`;
        if (hidden.has(name)) return false;
        // A folder shows what further layers have in it, anything else hides it.
        if (layer.entry(below) !== 'folder') hidden.add(name);
        return this.#isAt(layer, below);
      }),
    );
  }

  #isAt(layer: DiskFolder, path: string): boolean {
    // Who gives up assumes the worst; more entries than a whole layer may have are not worth the time.
    if (++this.#looks > MAX_ENTRIES) return true;
    switch (layer.entry(path)) {
      case 'folder':
        return this.#isBelow(layer, path);
      case 'file': {
        const cataloger = catalogerFor(path, layer.stats(path));
        if (cataloger === undefined || cataloger.ownsOnly) return false;
        return examineFile(layer.host(path), cataloger, path) !== undefined;
      }
      case 'symlink':
        // The operating system's description is mostly one.
        return catalogerFor(path, { size: 0, mode: 0 }) !== undefined;
      case 'absent':
      case 'blocked':
      case 'whiteout':
      case 'other':
        return false;
    }
  }

  /** Folders that contain each other are asked about in turn, so answers are kept. */
  #isBelow(layer: DiskFolder, path: string): boolean {
    const known = this.#known.get(layer) ?? new Map<string, boolean>();
    this.#known.set(layer, known);
    const answer =
      known.get(path) ?? [...layer.names(path)].some((name) => this.#isAt(layer, `${path}/${name}`));
    known.set(path, answer);
    return answer;
  }
}
