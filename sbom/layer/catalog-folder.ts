import { type Dirent, lstatSync, readdirSync, readlinkSync, realpathSync, type Stats } from 'node:fs';
import { setImmediate as nextTurn } from 'node:timers/promises';
import type { Cataloger, Findings } from '../catalogers/cataloger.ts';
import { catalogerFor } from '../catalogers/table.ts';
import { SbomError } from '../errors.ts';
import { type Fragment, layerLimits, type TreeLimits } from '../fragment.ts';
import type { Folder } from '../tree.ts';
import { isWhiteout } from './disk-folder.ts';
import { EvidenceList } from './evidence-list.ts';
import { type HostFolder, StillFolder } from './host-folder.ts';
import { type FileLeaf, type LayerLeaf, LayerTree } from './layer-tree.ts';
import { LiveFolder, OwnFolder } from './live-folder.ts';
import { type ContainerRoot, type Judgement, OpacityJudge } from './opacity.ts';
import { type Examiner, examineFile, examineFileBy, type HostFile } from './read-file.ts';

type LayerFolder = Folder<LayerLeaf<FileLeaf>>;

/** A folder that is yet to be read, and what was judged of the one it is in. */
interface Visit {
  readonly folder: LayerFolder;
  readonly parent: Judgement;
}

/** What tells what a folder of the layer hides: the opaque ones, or somebody who finds out. */
type Judge = ReadonlySet<string> | OpacityJudge;

/** Other work of the process gets its turn every few milliseconds: 17,116 folders took 0.6 s. */
const FOLDERS_PER_TURN = 100;
/** Is waited for every few folders, with the bytes of content read since: so others get their turn, or their share. */
export type Turn = (bytes: number) => Promise<unknown>;
/** What may be on its way to an examiner elsewhere, besides the files of one folder. */
const MAX_AWAY_BYTES = 16 * 1024 * 1024;
const REPLACEMENT = '\uFFFD';

const closedJudgements: ReadonlySet<Judgement> = new Set(['opaque', 'opaque-here', 'new']);

/**
 * Reads a layer from the folder that overlayfs has of it. `layers` are the folders of all layers of the image from
 * bottom to top, `index` tells which one to read. `opaques` are the layer's opaque folders where they are known; else a
 * `container` of the image serves as witness of them.
 * Throws SbomError `opacity_unknown` (read the archive instead), `layer_unreadable` or `layer_too_large`, or the
 * signal's reason.
 */
export async function catalogFolder(options: {
  readonly layers: readonly string[];
  readonly index: number;
  readonly container?: ContainerRoot | undefined;
  readonly opaques?: ReadonlySet<string> | undefined;
  /** Who looks into the content of files; left out, it is done here. */
  readonly examiner?: Examiner | undefined;
  readonly turn?: Turn | undefined;
  readonly signal?: AbortSignal | undefined;
}): Promise<Fragment> {
  const { layers, index } = options;
  const root = layers[index];
  if (root === undefined) throw new RangeError(`there is no layer ${index}`);
  return reading(`the layer in ${root}`, options.signal, () => {
    const judge = options.opaques ?? new OpacityJudge(layers, index, options);
    return new FolderWalk(root, { folder: new StillFolder(root), judge, ...options }).run(options.signal);
  });
}

/**
 * Reads what a running container sees as its root, without what is mounted into it: all layers of its image together,
 * and what the container has written, which cannot be told apart. Throws as catalogFolder does.
 */
export async function catalogRoot(
  root: string,
  options: {
    readonly examiner?: Examiner | undefined;
    readonly turn?: Turn | undefined;
    readonly signal?: AbortSignal | undefined;
  } = {},
): Promise<Fragment> {
  return reading(`the root of a container at ${root}`, options.signal, async () => {
    const folder = new LiveFolder(root);
    if (folder.within('', (host) => readdirSync(host).length === 0) !== false)
      // Such as that of a container in a virtual machine, which is not mounted here.
      throw new SbomError('layer_unreadable', `the root of a container at ${root} shows nothing`);
    const fragment = await new FolderWalk(root, { folder, ...options }).run(options.signal);
    folder.mustBeThere();
    return fragment;
  });
}

/**
 * A machine has more files than an image: 1,555,490 entries were counted on one of ours. Nobody but the program that
 * reads it has to bear that.
 */
const ownLimits: TreeLimits = { entries: 3_000_000, pathsLength: 360_000_000 };

/**
 * Reads a folder for itself: without what is mounted into it, and without what may not be read; both are problems of the
 * fragment. Throws SbomError `layer_unreadable`, `layer_too_large`, or the signal's reason.
 */
export async function catalogOwnFolder(root: string, signal?: AbortSignal): Promise<Fragment> {
  return reading(root, signal, async () => {
    const place = realpathSync(root);
    // If not even this can be read, nothing can.
    readdirSync(place);
    const folder = new OwnFolder(place);
    const fragment = await new FolderWalk(root, { folder, limits: ownLimits }).run(signal);
    return { ...fragment, problems: [...fragment.problems, ...folder.leftOut] };
  });
}

async function reading(
  what: string,
  signal: AbortSignal | undefined,
  read: () => Promise<Fragment>,
): Promise<Fragment> {
  try {
    return await read();
  } catch (cause) {
    signal?.throwIfAborted();
    if (cause instanceof SbomError) throw cause;
    throw new SbomError('layer_unreadable', `cannot read ${what}`, { cause });
  }
}

class FolderWalk {
  readonly #folder: HostFolder;
  /** None for what has nothing below it. */
  readonly #judge: Judge | undefined;
  readonly #tree: LayerTree<FileLeaf>;
  readonly #evidence = new EvidenceList();
  readonly #left: Visit[] = [];
  readonly #examiner: Examiner | undefined;
  readonly #turn: Turn;
  #readBytes = 0;
  /** Files that are being examined elsewhere. */
  #away: Promise<void>[] = [];
  #awayBytes = 0;
  #isExact = true;

  constructor(
    name: string,
    parts: {
      readonly folder: HostFolder;
      readonly judge?: Judge | undefined;
      readonly examiner?: Examiner | undefined;
      readonly turn?: Turn | undefined;
      readonly limits?: TreeLimits;
    },
  ) {
    this.#folder = parts.folder;
    this.#judge = parts.judge;
    this.#examiner = parts.examiner;
    this.#turn = parts.turn ?? (() => nextTurn());
    this.#tree = new LayerTree(name, parts.limits ?? layerLimits);
  }

  async run(signal: AbortSignal | undefined): Promise<Fragment> {
    this.#left.push({ folder: this.#tree.root, parent: this.#judge ? 'clear' : 'new' });
    for (let turn = 1, visit = this.#left.pop(); visit; turn++, visit = this.#left.pop()) {
      if (turn % FOLDERS_PER_TURN === 0) await this.#giveTurn();
      signal?.throwIfAborted();
      await this.#visit(visit);
      if (this.#awayBytes > MAX_AWAY_BYTES) {
        await this.#settle();
        await this.#giveTurn();
      }
    }
    await this.#settle();
    return this.#tree.toFragment(this.#evidence, this.#isExact ? 'exact' : 'chain');
  }

  async #visit({ folder, parent }: Visit): Promise<void> {
    const { path } = folder;
    const entries = this.#folder.within(path, (host) => readdirSync(host, { withFileTypes: true })) ?? [];
    const judgement = await this.#judgeFolder(folder, parent, entries);
    this.#folder.within(path, (host) => {
      for (const entry of entries) {
        if (entry.name.includes(REPLACEMENT)) {
          this.#tree.report('name_not_utf8', folder.pathOf(entry.name));
        } else if (entry.isDirectory()) {
          const child = this.#tree.addFolder(folder, entry.name);
          if (child) this.#left.push({ folder: child, parent: judgement });
        } else {
          this.#addLeaf(folder, entry, `${host}/${entry.name}`);
        }
      }
    });
  }

  async #judgeFolder(folder: LayerFolder, parent: Judgement, entries: readonly Dirent[]): Promise<Judgement> {
    if (this.#judge && !(this.#judge instanceof OpacityJudge)) {
      if (this.#judge.has(folder.path)) this.#tree.markOpaque(folder);
      return 'clear';
    }
    // A folder that hides all lower ones, or that none of them has, keeps them away from what is in it as well.
    if (!this.#judge || folder === this.#tree.root || closedJudgements.has(parent)) return parent;
    const judgement = await this.#judge.judge(folder.path, new Set(entries.map(({ name }) => name)));
    if (judgement === 'opaque' || judgement === 'opaque-here') this.#tree.markOpaque(folder);
    if (judgement !== 'opaque' && judgement !== 'clear') this.#isExact = false;
    return judgement;
  }

  #addLeaf(folder: LayerFolder, entry: Dirent, host: string): void {
    const { name } = entry;
    if (entry.isSymbolicLink()) {
      const target = this.#folder.look(() => readlinkSync(host));
      if (target !== undefined) this.#tree.addLeaf(folder, name, { kind: 'symlink', target });
      return;
    }
    const stats = this.#folder.look(() => lstatSync(host));
    if (stats?.isFile()) this.#addFile(folder, name, stats);
    else if (stats)
      this.#tree.addLeaf(folder, name, { kind: this.#isWhiteout(stats) ? 'whiteout' : 'other' });
  }

  /** A container sees none; what is like one there was made by it, and removes nothing. */
  #isWhiteout(stats: Stats): boolean {
    return !this.#folder.isLive && isWhiteout(stats);
  }

  #addFile(folder: LayerFolder, name: string, { size, mode }: Stats): void {
    this.#tree.addLeaf(folder, name, { kind: 'file', size, mode });
    const path = folder.pathOf(name);
    const cataloger = catalogerFor(path, { size, mode });
    if (cataloger) this.#examine({ path, open: () => this.#folder.open(path) }, cataloger);
  }

  #examine(file: HostFile, cataloger: Cataloger): void {
    const keep = (findings: Findings | undefined): void => {
      if (findings) this.#evidence.push(file.path, cataloger, findings);
    };
    if (!this.#examiner) {
      keep(this.#folder.look(() => examineFile(file, cataloger)));
      return;
    }
    const examiner = this.#examiner;
    const sent = this.#folder.look(() => examineFileBy(examiner, file, cataloger));
    if (!sent) return;
    const kept = sent.findings.then(keep);
    // It is heard of when all are waited for.
    kept.catch(() => undefined);
    this.#awayBytes += sent.bytes;
    this.#readBytes += sent.bytes;
    this.#away.push(kept);
  }

  async #giveTurn(): Promise<void> {
    const bytes = this.#readBytes;
    this.#readBytes = 0;
    await this.#turn(bytes);
  }

  async #settle(): Promise<void> {
    const away = this.#away;
    this.#away = [];
    this.#awayBytes = 0;
    await Promise.all(away);
  }
}
