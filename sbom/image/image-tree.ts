import type { Evidence, Fragment } from '../fragment.ts';
import type { PackageName } from '../package.ts';
import { Folder, resolve } from '../tree.ts';

/** One layer's word on an evidence file. */
export interface Statement {
  readonly layer: number;
  readonly evidence: Evidence;
}

/** What stands at a path of the image. */
export interface ImageLeaf {
  readonly kind: 'leaf';
  /** Of a link. */
  readonly target?: string;
  /** Of evidence: what the layers said of this file in turn, each of them replacing the one before. */
  readonly statements?: readonly Statement[];
  /** The package of the system whose file it is. */
  readonly owner?: PackageName;
}

type ImageFolder = Folder<ImageLeaf>;

const PLAIN: ImageLeaf = { kind: 'leaf' };

/**
 * What the layers of an image show together, as overlayfs shows them: whiteouts and opaque folders act on lower layers
 * only, two folders merge, and anything else replaces what is below it.
 */
export class ImageTree {
  readonly root: ImageFolder = new Folder();
  /** The folder that was opened last: lists are sorted, so that most paths are in the same one as the path before. */
  #open: ImageFolder = this.root;

  /** Puts the next layer on top. */
  add(fragment: Fragment, layer: number): void {
    // Before anything is hidden: a file that is removed and written again in one layer was there without a break.
    const evidence = new Map(fragment.evidence.map((each) => [each.path, this.#state(each, layer)]));
    for (const path of fragment.opaques) this.#openFolder(path).children.clear();
    this.#open = this.root;
    for (const path of fragment.whiteouts) {
      this.#parentOf(path).children.delete(baseName(path));
      this.#open = this.root;
    }
    for (const path of fragment.emptyFolders) this.#openFolder(path);
    for (const path of fragment.others) this.#place(path, PLAIN);
    for (const { path, target } of fragment.symlinks) this.#place(path, { kind: 'leaf', target });
    for (const path of fragment.files) this.#place(path, evidence.get(path) ?? PLAIN);
    for (const { files, ...owner } of fragment.owners) {
      const plain: ImageLeaf = { kind: 'leaf', owner };
      for (const path of files) {
        const stated = evidence.get(path);
        this.#place(path, stated ? { ...stated, owner } : plain);
      }
    }
  }

  /** What a path leads to through links, as the kernel would follow them inside the image. */
  resolve(path: string): ImageLeaf | ImageFolder | undefined {
    return resolve(this.root, path.split('/'), (parent, name) => parent.children.get(name));
  }

  #state(evidence: Evidence, layer: number): ImageLeaf {
    let below: ImageFolder | ImageLeaf | undefined = this.root;
    for (const name of evidence.path.split('/')) {
      below = below instanceof Folder ? below.children.get(name) : undefined;
    }
    const before = below?.kind === 'leaf' ? below.statements : undefined;
    return { kind: 'leaf', statements: [...(before ?? []), { layer, evidence }] };
  }

  #place(path: string, leaf: ImageLeaf): void {
    const { children } = this.#parentOf(path);
    const name = baseName(path);
    if (children.get(name) instanceof Folder) this.#open = this.root;
    children.set(name, leaf);
  }

  #parentOf(path: string): ImageFolder {
    return this.#openFolder(path.slice(0, Math.max(0, path.lastIndexOf('/'))));
  }

  /** The folder at a path, made in place of whatever else is there. */
  #openFolder(path: string): ImageFolder {
    if (path === this.#open.path) return this.#open;
    let folder = this.root;
    if (path === '') return folder;
    for (const name of path.split('/')) {
      const child = folder.children.get(name);
      folder = child instanceof Folder ? child : folder.makeFolder(name);
    }
    this.#open = folder;
    return folder;
  }
}

function baseName(path: string): string {
  return path.slice(path.lastIndexOf('/') + 1);
}
