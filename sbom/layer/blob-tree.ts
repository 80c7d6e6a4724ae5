import type { Examined } from '../catalogers/examine.ts';
import { Folder, resolve } from '../tree.ts';
import { type FileLeaf, type LayerLeaf, LayerTree } from './layer-tree.ts';
import type { TarEntry } from './tar-entry.ts';

/** A file of an archive, and what catalogers have found in its content, by what they are and mind of its path. */
export interface BlobFile extends FileLeaf {
  /** Where its content begins in the archive; tells one file from the others. */
  readonly position: number;
  /** Most files are none that a cataloger looks into, and have none. */
  readings: Map<string, Examined> | undefined;
}

type Leaf = LayerLeaf<BlobFile>;

/** OCI image-spec, layer.md, "Whiteouts". */
const WHITEOUT_PREFIX = '.wh.';
const OPAQUE_WHITEOUT = '.wh..wh..opq';
const OVERLAY_ATTRIBUTE = 'trusted.overlay.';
const OPAQUE_ATTRIBUTE = 'trusted.overlay.opaque';

/** What Node puts in place of bytes that are not UTF-8. */
const REPLACEMENT = '\uFFFD';

/**
 * Unpacks the entries of an archive into a tree, as containerd unpacks them into a folder for overlayfs: names are held
 * inside the root, parents are followed through links of the same archive and made where they lack, and the kernel's
 * own marks (a device 0:0, an extended attribute) count as well as the whiteouts of the specification.
 */
export class BlobTree {
  readonly tree: LayerTree<BlobFile>;

  constructor(name: string) {
    this.tree = new LayerTree(name);
  }

  /** The path and the file, if the entry is one. */
  add(entry: TarEntry): { readonly path: string; readonly file: BlobFile } | undefined {
    if (entry.name.includes(REPLACEMENT)) {
      this.tree.report('name_not_utf8', entry.name);
      return undefined;
    }
    const names = cleanNames(entry.name);
    const name = names.pop();
    if (name === undefined) return undefined;
    const parent = this.#openFolder(names, name);
    if (parent === undefined) return undefined;
    if (name.startsWith(WHITEOUT_PREFIX)) {
      this.#addWhiteout(parent, name);
      return undefined;
    }
    this.#heedAttributes(parent, name, entry);
    return this.#addEntry(parent, name, entry);
  }

  #addEntry(
    parent: Folder<Leaf>,
    name: string,
    entry: TarEntry,
  ): { readonly path: string; readonly file: BlobFile } | undefined {
    switch (entry.type) {
      case 'folder':
        this.#addFolder(parent, name, entry);
        return undefined;
      case 'hardlink':
        this.#addHardLink(parent, name, entry);
        return undefined;
      case 'symlink':
        this.tree.addLeaf(parent, name, { kind: 'symlink', target: entry.linkname });
        return undefined;
      case 'char':
      case 'block':
      case 'fifo':
        this.tree.addLeaf(parent, name, { kind: isWhiteoutDevice(entry) ? 'whiteout' : 'other' });
        return undefined;
      case 'file': {
        const { size, mode, position } = entry;
        const file: BlobFile = { kind: 'file', size, mode, position, readings: undefined };
        this.tree.addLeaf(parent, name, file);
        return { path: parent.pathOf(name), file };
      }
    }
  }

  #addWhiteout(parent: Folder<Leaf>, name: string): void {
    const hidden = name.slice(WHITEOUT_PREFIX.length);
    if (name === OPAQUE_WHITEOUT) {
      this.tree.markOpaque(parent);
    } else if (['', '.', '..'].includes(hidden)) {
      this.tree.report('whiteout_invalid', parent.pathOf(name));
    } else {
      this.tree.addLeaf(parent, hidden, { kind: 'whiteout' });
    }
  }

  #addFolder(parent: Folder<Leaf>, name: string, entry: TarEntry): void {
    const folder = this.tree.addFolder(parent, name);
    if (folder && entry.attributes.get(OPAQUE_ATTRIBUTE) === 'y') this.tree.markOpaque(folder);
  }

  #addHardLink(parent: Folder<Leaf>, name: string, entry: TarEntry): void {
    const names = cleanNames(entry.linkname);
    const last = names.pop() ?? '';
    const folder = resolve(this.tree.root, names, (from, each) => from.children.get(each));
    const target = folder instanceof Folder ? folder.children.get(last) : undefined;
    if (target === undefined || target instanceof Folder || target.kind === 'whiteout') {
      this.tree.report('link_broken', parent.pathOf(name));
      return;
    }
    // Runtimes set the mode that this entry states, and it is the mode of the file under all its names.
    if (target.kind === 'file') target.mode = entry.mode;
    this.tree.addLeaf(parent, name, target);
  }

  #heedAttributes(parent: Folder<Leaf>, name: string, { attributes }: TarEntry): void {
    for (const attribute of attributes.keys()) {
      if (attribute.startsWith(OVERLAY_ATTRIBUTE) && attribute !== OPAQUE_ATTRIBUTE) {
        this.tree.report('overlay_attribute', parent.pathOf(name));
      }
    }
  }

  /** The folder of these names, each made where nothing is; undefined, and a problem, if something is in the way. */
  #openFolder(names: readonly string[], last: string): Folder<Leaf> | undefined {
    let isAdmitted = true;
    const found = resolve(this.tree.root, names, (parent, name) => {
      const child = parent.children.get(name);
      if (child !== undefined && child.kind !== 'whiteout') return child;
      const made = this.tree.addFolder(parent, name);
      isAdmitted &&= made !== undefined;
      return made;
    });
    if (found instanceof Folder) return found;
    if (isAdmitted) this.tree.report('path_blocked', [...names, last].join('/'));
    return undefined;
  }
}

/** Overlayfs takes a character device 0:0 for a whiteout, wherever it came from. */
function isWhiteoutDevice({ type, device }: TarEntry): boolean {
  return type === 'char' && device.major === 0 && device.minor === 0;
}

/** The names of a path, `..` taken back and never above the root. */
function cleanNames(path: string): string[] {
  const names: string[] = [];
  for (const name of path.split('/')) {
    if (name === '..') names.pop();
    else if (name !== '' && name !== '.') names.push(name);
  }
  return names;
}
