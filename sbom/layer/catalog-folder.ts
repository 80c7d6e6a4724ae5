import { type Dirent, lstatSync, readdirSync, readlinkSync } from 'node:fs';
import { setImmediate as nextTurn } from 'node:timers/promises';
import type { Cataloger, Findings } from '../catalogers/cataloger.ts';
import { catalogerFor } from '../catalogers/table.ts';
import { SbomError } from '../errors.ts';
import type { Fragment } from '../fragment.ts';
import type { Folder } from '../tree.ts';
import { isWhiteout } from './disk-folder.ts';
import { EvidenceList } from './evidence-list.ts';
import { type FileLeaf, type LayerLeaf, LayerTree } from './layer-tree.ts';
import { type ContainerRoot, type Judgement, OpacityJudge } from './opacity.ts';
import { type Examiner, examineFile, examineFileBy } from './read-file.ts';

type LayerFolder = Folder<LayerLeaf<FileLeaf>>;

/** A folder that is yet to be read, and what was judged of the one it is in. */
interface Visit {
  readonly folder: LayerFolder;
  readonly parent: Judgement;
}

/** Other work of the process gets its turn every few milliseconds: 17,116 folders took 0.6 s. */
const FOLDERS_PER_TURN = 100;
/** What may be on its way to an examiner elsewhere, besides the files of one folder. */
const MAX_AWAY_BYTES = 16 * 1024 * 1024;
const REPLACEMENT = '\uFFFD';

const closedJudgements: ReadonlySet<Judgement> = new Set(['opaque', 'opaque-here', 'new']);

/**
 * Reads a layer from the folder that overlayfs has of it. `layers` are the folders of all layers of the image from
 * bottom to top, `index` tells which one to read; a `container` of the image serves as witness of opaque folders.
 * Throws SbomError `opacity_unknown` (read the archive instead), `layer_unreadable` or `layer_too_large`, or the
 * signal's reason.
 */
export async function catalogFolder(options: {
  readonly layers: readonly string[];
  readonly index: number;
  readonly container?: ContainerRoot | undefined;
  /** Who looks into the content of files; left out, it is done here. */
  readonly examiner?: Examiner | undefined;
  readonly signal?: AbortSignal | undefined;
}): Promise<Fragment> {
  const root = options.layers[options.index];
  if (root === undefined) throw new RangeError(`there is no layer ${options.index}`);
  try {
    const judge = new OpacityJudge(options.layers, options.index, options.container);
    return await new FolderWalk(root, judge, options.examiner).run(options.signal);
  } catch (cause) {
    options.signal?.throwIfAborted();
    if (cause instanceof SbomError) throw cause;
    throw new SbomError('layer_unreadable', `cannot read the layer in ${root}`, { cause });
  }
}

class FolderWalk {
  readonly #root: string;
  readonly #judge: OpacityJudge;
  readonly #tree: LayerTree<FileLeaf>;
  readonly #evidence = new EvidenceList();
  readonly #left: Visit[] = [];
  readonly #examiner: Examiner | undefined;
  /** Files that are being examined elsewhere. */
  #away: Promise<void>[] = [];
  #awayBytes = 0;
  #isExact = true;

  constructor(root: string, judge: OpacityJudge, examiner: Examiner | undefined) {
    this.#root = root;
    this.#judge = judge;
    this.#examiner = examiner;
    this.#tree = new LayerTree(root);
  }

  async run(signal: AbortSignal | undefined): Promise<Fragment> {
    this.#left.push({ folder: this.#tree.root, parent: 'clear' });
    for (let turn = 1, visit = this.#left.pop(); visit; turn++, visit = this.#left.pop()) {
      if (turn % FOLDERS_PER_TURN === 0) await nextTurn();
      signal?.throwIfAborted();
      this.#visit(visit);
      if (this.#awayBytes > MAX_AWAY_BYTES) await this.#settle();
    }
    await this.#settle();
    return this.#tree.toFragment(this.#evidence, this.#isExact ? 'exact' : 'chain');
  }

  #visit({ folder, parent }: Visit): void {
    const entries = readdirSync(this.#host(folder.path), { withFileTypes: true });
    const judgement = this.#judgeFolder(folder, parent, entries);
    for (const entry of entries) {
      if (entry.name.includes(REPLACEMENT)) {
        this.#tree.report('name_not_utf8', folder.pathOf(entry.name));
      } else if (entry.isDirectory()) {
        const child = this.#tree.addFolder(folder, entry.name);
        if (child) this.#left.push({ folder: child, parent: judgement });
      } else {
        this.#addLeaf(folder, entry);
      }
    }
  }

  #judgeFolder(folder: LayerFolder, parent: Judgement, entries: readonly Dirent[]): Judgement {
    // A folder that hides all lower ones, or that none of them has, keeps them away from what is in it as well.
    if (folder === this.#tree.root || closedJudgements.has(parent)) return parent;
    const judgement = this.#judge.judge(folder.path, new Set(entries.map(({ name }) => name)));
    if (judgement === 'opaque' || judgement === 'opaque-here') this.#tree.markOpaque(folder);
    if (judgement !== 'opaque' && judgement !== 'clear') this.#isExact = false;
    return judgement;
  }

  #addLeaf(folder: LayerFolder, entry: Dirent): void {
    const path = folder.pathOf(entry.name);
    const host = this.#host(path);
    if (entry.isSymbolicLink()) {
      this.#tree.addLeaf(folder, entry.name, { kind: 'symlink', target: readlinkSync(host) });
      return;
    }
    const stats = lstatSync(host);
    if (!stats.isFile()) {
      this.#tree.addLeaf(folder, entry.name, { kind: isWhiteout(stats) ? 'whiteout' : 'other' });
      return;
    }
    const { size, mode } = stats;
    this.#tree.addLeaf(folder, entry.name, { kind: 'file', size, mode });
    const cataloger = catalogerFor(path, { size, mode });
    if (cataloger) this.#examine(host, cataloger, path);
  }

  #examine(host: string, cataloger: Cataloger, path: string): void {
    const keep = (findings: Findings | undefined): void => {
      if (findings) this.#evidence.push(path, cataloger, findings);
    };
    if (!this.#examiner) {
      keep(examineFile(host, cataloger, path));
      return;
    }
    const sent = examineFileBy(this.#examiner, host, cataloger, path);
    if (!sent) return;
    const kept = sent.findings.then(keep);
    // It is heard of when all are waited for.
    kept.catch(() => undefined);
    this.#awayBytes += sent.bytes;
    this.#away.push(kept);
  }

  async #settle(): Promise<void> {
    const away = this.#away;
    this.#away = [];
    this.#awayBytes = 0;
    await Promise.all(away);
  }

  #host(path: string): string {
    return path === '' ? this.#root : `${this.#root}/${path}`;
  }
}
