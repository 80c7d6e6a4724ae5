/** A folder of a tree that was made from entries alone; the machine's own files are never looked at. */
export class Folder<Leaf> {
  readonly kind = 'folder';
  readonly children = new Map<string, Folder<Leaf> | Leaf>();
  /** Empty for the root. */
  readonly path: string;
  readonly depth: number;

  constructor(path = '', depth = 0) {
    this.path = path;
    this.depth = depth;
  }

  pathOf(name: string): string {
    return this.path === '' ? name : `${this.path}/${name}`;
  }

  /** Puts a new, empty folder where there was something else or nothing. */
  makeFolder(name: string): Folder<Leaf> {
    const folder = new Folder<Leaf>(this.pathOf(name), this.depth + 1);
    this.children.set(name, folder);
    return folder;
  }
}

type LeafShape = { readonly kind: string; readonly target?: string };

/** The kernel gives up after as many (MAXSYMLINKS in path_resolution(7)). */
const MAX_SYMLINKS = 40;

/**
 * Where the names lead from the root, through links as the kernel would follow them, with `..` held inside the root.
 * `step` says what a folder has under a name. Undefined if there is nothing, a leaf in the way, or too many links.
 */
export function resolve<Leaf extends LeafShape>(
  root: Folder<Leaf>,
  names: readonly string[],
  step: (parent: Folder<Leaf>, name: string) => Folder<Leaf> | Leaf | undefined,
): Folder<Leaf> | Leaf | undefined {
  const trail = [root];
  const rest = names.toReversed();
  let links = 0;
  for (let name = rest.pop(); name !== undefined; name = rest.pop()) {
    if (name === '' || name === '.') continue;
    if (name === '..') {
      if (trail.length > 1) trail.pop();
      continue;
    }
    const parent = trail.at(-1) ?? root;
    const child = step(parent, name);
    if (child instanceof Folder) {
      trail.push(child);
    } else if (child?.target !== undefined) {
      if (++links > MAX_SYMLINKS) return undefined;
      if (child.target.startsWith('/')) trail.length = 1;
      rest.push(...child.target.split('/').toReversed());
    } else {
      return rest.length === 0 ? child : undefined;
    }
  }
  return trail.at(-1);
}

/** Calls `visit` for all that is below a folder, parents first, in no order. Depth is bounded by MAX_DEPTH. */
export function visitAll<Leaf>(
  folder: Folder<Leaf>,
  visit: (path: string, node: Folder<Leaf> | Leaf) => void,
): void {
  for (const [name, node] of folder.children) {
    visit(folder.pathOf(name), node);
    if (node instanceof Folder) visitAll(node, visit);
  }
}
