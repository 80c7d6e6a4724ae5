import { CATALOGER_VERSION } from '../catalogers/table.ts';
import { SbomError } from '../errors.ts';
import {
  type Fragment,
  layerLimits,
  MAX_DEPTH,
  MAX_PATH_BYTES,
  type Opacity,
  type Owner,
  type Problem,
  type TreeLimits,
} from '../fragment.ts';
import { packageNameKey } from '../package.ts';
import { Folder, visitAll } from '../tree.ts';
import type { EvidenceList } from './evidence-list.ts';

/** A regular file; its hard links are the same object under other names. */
export interface FileLeaf {
  readonly kind: 'file';
  readonly size: number;
  mode: number;
}

export type LayerLeaf<File extends FileLeaf> =
  | File
  | { readonly kind: 'symlink'; readonly target: string }
  | { readonly kind: 'other' }
  | { readonly kind: 'whiteout' };

/** Shared objects have no right to be executed, and archives of classes need none. */
const LOADABLE_NAME = /\.(so|so\.[^/]*|node|jar|war)$/;
const EXECUTABLE = 0o111;

type LeafKind = 'file' | 'symlink' | 'other' | 'whiteout';

/**
 * One layer alone, entry by entry, as it comes to lie in its own folder of overlayfs: a later entry replaces an earlier
 * one, and two folders merge. Two points on which runtimes differ, as measured with containerd 2.4.2:
 *
 * - Nothing is looked up in lower layers. Where a lower one has a link at `lib`, an entry `lib/x` makes `lib` a folder,
 *   as overlayfs snapshots show it; snapshotters that unpack into the merged root follow the link.
 * - The layer's own entry wins over its whiteout of the same name. For a folder the specification would hide what lower
 *   layers have in it; overlayfs snapshots show it, and of the two errors hiding what runs is the worse one.
 */
export class LayerTree<File extends FileLeaf> {
  readonly root = new Folder<LayerLeaf<File>>();
  readonly #opaques = new Set<Folder<LayerLeaf<File>>>();
  readonly #problems = new Map<string, Problem>();
  readonly #name: string;
  readonly #limits: TreeLimits;
  #entries = 0;
  #pathsLength = 0;

  /** `name` is what error messages call the layer. */
  constructor(name: string, limits = layerLimits) {
    this.#name = name;
    this.#limits = limits;
  }

  /** Puts a leaf in place, or reports why it cannot be there. */
  addLeaf(parent: Folder<LayerLeaf<File>>, name: string, leaf: LayerLeaf<File>): void {
    if (!this.#admit(parent, name, leaf.kind === 'symlink' ? leaf.target : '')) return;
    if (leaf.kind === 'whiteout' && parent.children.has(name)) return;
    parent.children.set(name, leaf);
  }

  /** The folder of that name, made if need be; undefined, and a problem, if its path is too long. */
  addFolder(parent: Folder<LayerLeaf<File>>, name: string): Folder<LayerLeaf<File>> | undefined {
    const there = parent.children.get(name);
    if (there instanceof Folder) return there;
    return this.#admit(parent, name) ? parent.makeFolder(name) : undefined;
  }

  /** The root stays as it is: overlayfs pays no heed to an opaque mark there, measured with Linux 6.18. */
  markOpaque(folder: Folder<LayerLeaf<File>>): void {
    if (folder !== this.root) this.#opaques.add(folder);
  }

  report(code: Problem['code'], path: string): void {
    this.#count(path);
    const problem = { code, path: path.slice(0, MAX_PATH_BYTES) };
    this.#problems.set(`${problem.path}\n${code}`, problem);
  }

  /** All files by path. */
  files(): Map<string, File> {
    const files = new Map<string, File>();
    visitAll(this.root, (path, node) => {
      if (node.kind === 'file') files.set(path, node);
    });
    return files;
  }

  toFragment(evidence: EvidenceList, opacity: Opacity): Fragment {
    const paths: Record<LeafKind | 'emptyFolder' | 'opaque', string[]> = {
      file: [],
      symlink: [],
      other: [],
      whiteout: [],
      emptyFolder: [],
      opaque: [],
    };
    const targets = new Map<string, string>();
    let bytes = 0;
    visitAll(this.root, (path, node) => {
      if (node.kind === 'folder') {
        if (this.#opaques.has(node)) paths.opaque.push(path);
        if (node.children.values().every(({ kind }) => kind === 'whiteout')) paths.emptyFolder.push(path);
        return;
      }
      paths[node.kind].push(path);
      if (node.kind === 'file') bytes += node.size;
      if (node.kind === 'symlink') targets.set(path, node.target);
    });
    return {
      cataloger: CATALOGER_VERSION,
      opacity,
      files: paths.file.sort(),
      symlinks: paths.symlink.sort().map((path) => ({ path, target: targets.get(path) ?? '' })),
      others: paths.other.sort(),
      emptyFolders: paths.emptyFolder.sort(),
      whiteouts: paths.whiteout.sort(),
      opaques: paths.opaque.sort(),
      evidence: evidence.toSorted(),
      owners: this.#owners(evidence),
      totals: { files: paths.file.length, bytes },
      problems: [...this.#problems].sort(([a], [b]) => (a < b ? -1 : 1)).map(([, problem]) => problem),
    };
  }

  #owners(evidence: EvidenceList): Owner[] {
    const owners = new Map<string, Owner & { files: string[] }>();
    visitAll(this.root, (path, node) => {
      if (node.kind !== 'file' || !isLoadable(path, node.mode)) return;
      const name = evidence.ownerOf(path);
      if (!name) return;
      const key = packageNameKey(name);
      const owner = owners.get(key) ?? { ...name, files: [] };
      owner.files.push(path);
      owners.set(key, owner);
    });
    for (const { files } of owners.values()) files.sort();
    return [...owners].sort(([a], [b]) => (a < b ? -1 : 1)).map(([, owner]) => owner);
  }

  #admit(parent: Folder<LayerLeaf<File>>, name: string, target = ''): boolean {
    const path = parent.pathOf(name);
    const isTooLong = [path, target].some((text) => Buffer.byteLength(text) > MAX_PATH_BYTES);
    if (isTooLong || parent.depth >= MAX_DEPTH) {
      this.report('path_too_long', path);
      return false;
    }
    this.#count(path + target);
    return true;
  }

  #count(text: string): void {
    this.#entries += 1;
    this.#pathsLength += text.length;
    const { entries, pathsLength } = this.#limits;
    if (this.#entries > entries || this.#pathsLength > pathsLength) {
      throw new SbomError(
        'layer_too_large',
        `${this.#name} has more than ${entries} entries or ${pathsLength} characters of paths`,
      );
    }
  }
}

/** Whether the kernel, or a runtime such as Java's, can run the file or map it as a part of a program. */
function isLoadable(path: string, mode: number): boolean {
  return (mode & EXECUTABLE) !== 0 || LOADABLE_NAME.test(path);
}
