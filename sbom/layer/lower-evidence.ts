import type { Cataloger, Findings } from '../catalogers/cataloger.ts';
import { catalogerFor } from '../catalogers/table.ts';
import { MAX_ENTRIES } from '../fragment.ts';
import type { DiskFolder } from './disk-folder.ts';
import { type Examiner, examineFile, examineFileBy, type HostFile } from './read-file.ts';

const EMPTY = { size: 0, mode: 0 };

/** Looks in layers for what a folder of an upper one would hide if it were opaque, as far as it counts: evidence. */
export class LowerEvidence {
  readonly #known = new Map<DiskFolder, Map<string, boolean>>();
  readonly #examiner: Examiner | undefined;
  #looks = 0;

  /** `examiner` looks into the content of files; left out, it is done here. */
  constructor(examiner: Examiner | undefined) {
    this.#examiner = examiner;
  }

  /** Whether the layers, nearest first, show evidence in a folder, other than under the names in `except`. */
  async isIn(layers: readonly DiskFolder[], path: string, except: ReadonlySet<string>): Promise<boolean> {
    const hidden = new Set(except);
    for (const layer of layers) {
      for (const name of layer.names(path)) {
        const below = `${path}/${name}`;
        if (hidden.has(name)) continue;
        // A folder shows what further layers have in it, anything else hides it.
        if (layer.entry(below) !== 'folder') hidden.add(name);
        if (await this.#isAt(layer, below)) return true;
      }
    }
    return false;
  }

  async #isAt(layer: DiskFolder, path: string): Promise<boolean> {
    // Who gives up assumes the worst; more entries than a whole layer may have are not worth the time.
    if (++this.#looks > MAX_ENTRIES) return true;
    switch (layer.entry(path)) {
      case 'folder':
        return this.#isBelow(layer, path);
      case 'file': {
        const cataloger = catalogerFor(path, layer.stats(path) ?? EMPTY);
        if (cataloger === undefined || cataloger.ownsOnly) return false;
        return (await this.#examine({ path, open: () => layer.open(path) }, cataloger)) !== undefined;
      }
      case 'symlink':
        // The operating system's description is mostly one.
        return catalogerFor(path, EMPTY) !== undefined;
      case 'absent':
      case 'blocked':
      case 'whiteout':
      case 'other':
        return false;
    }
  }

  async #examine(file: HostFile, cataloger: Cataloger): Promise<Findings | undefined> {
    if (!this.#examiner) return examineFile(file, cataloger);
    return examineFileBy(this.#examiner, file, cataloger)?.findings;
  }

  /** Folders that contain each other are asked about in turn, so answers are kept. */
  async #isBelow(layer: DiskFolder, path: string): Promise<boolean> {
    const known = this.#known.get(layer) ?? new Map<string, boolean>();
    this.#known.set(layer, known);
    const answer = known.get(path) ?? (await this.#hasAny(layer, path));
    known.set(path, answer);
    return answer;
  }

  async #hasAny(layer: DiskFolder, path: string): Promise<boolean> {
    for (const name of layer.names(path)) if (await this.#isAt(layer, `${path}/${name}`)) return true;
    return false;
  }
}
