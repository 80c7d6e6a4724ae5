import { open, readdir } from 'node:fs/promises';
import { cutToBytes } from '@gatehouse/lib/text.ts';
import type { ContainerProcess } from '../runtimes/runtime.ts';
import { Mounts, type OverlayRoot } from './mounts.ts';
import { DELETED, mappedFiles } from './proc-maps.ts';
import { linkOf, mountsOf } from './processes.ts';
import type { WrittenPrograms } from './programs.ts';

/** How a program that is not of the image got into a container; see `DriftedFile` in nodes.proto. */
export type DriftKind = 'written' | 'mounted' | 'memory' | 'deleted';

/** A program that is not of the image. */
export interface Drift {
  readonly kind: DriftKind;
  readonly path: string;
  /** The link in /proc to what a process runs, and what it said. */
  readonly exe: string;
  readonly link: string;
}

/** What a container was seen to run. */
export interface Sight {
  /** Files of the image, without a leading slash. */
  readonly loaded: ReadonlySet<string>;
  readonly drift: readonly Drift[];
}

/** Servers with a process for each connection have hundreds, all of them alike; of more, others are looked at each time. */
const MAX_PROCESSES = 256;
/** Processes of one program map nearly the same files. */
const MAX_MAPS_PER_PROGRAM = 4;
/** Java maps 2,000 ranges, of some 100 characters each; what comes after so much is not looked at. */
const MAX_TEXT_BYTES = 2 * 1024 * 1024;
/** The kernel gives a page at a time. */
const CHUNK_BYTES = 4_096;
/** Java opens the archives that it was started with first. */
const MAX_OPEN_FILES = 1_024;
/** As many as the core keeps of an image; more it is not told of any. */
export const MAX_LOADED = 2_000;
/** As the core takes them: it indexes them. */
const MAX_PATH_BYTES = 1_024;

const MEMORY = '/memfd:';
const ARCHIVE = /\.(jar|war)$/;

/**
 * Looks at what the processes of a container run: `pids` are all that see its mounts. Undefined if its processes are not
 * to be seen, as with those in a virtual machine.
 */
export async function lookAtContainer(
  { node, pid, storage }: ContainerProcess,
  pids: readonly number[],
  written: WrittenPrograms,
): Promise<Sight | undefined> {
  const proc = `${node}/proc`;
  const mountinfo = await readText(`${proc}/${pid}/mountinfo`);
  if (mountinfo === '' || mountsOf(proc, pid) === mountsOf(proc, 1)) return undefined;
  const mounts = new Mounts(mountinfo);
  if (storage && !storage.some((folder) => mounts.root?.upper.startsWith(`${folder}/`))) return undefined;
  const loaded = new Set<string>();
  const drift: Drift[] = [];
  const keep = (path: string): void => {
    if (loaded.size < MAX_LOADED && isNameable(path) && !mounts.isMounted(path)) loaded.add(path.slice(1));
  };
  for (const [link, running] of programsOf(proc, pids)) {
    const exe = `${proc}/${running[0]}/exe`;
    const kind = await driftOf(link, mounts, (root) => written.isWritten(root, { node, path: link, exe }));
    if (kind) drift.push({ kind, path: printable(link), exe, link });
    else keep(link);
    for (const each of running.slice(0, MAX_MAPS_PER_PROGRAM)) {
      for (const path of mappedFiles(await readText(`${proc}/${each}/maps`))) if (path !== link) keep(path);
      if (link.endsWith('/java')) for (const path of await openArchives(`${proc}/${each}/fd`)) keep(path);
    }
  }
  return { loaded, drift };
}

/** The processes by the program that they run. Those of the kernel, and those that have just ended, run none. */
function programsOf(proc: string, pids: readonly number[]): ReadonlyMap<string, number[]> {
  const programs = new Map<string, number[]>();
  for (const pid of sample(pids)) {
    const link = linkOf(`${proc}/${pid}/exe`);
    if (link?.startsWith('/')) programs.set(link, [...(programs.get(link) ?? []), pid]);
  }
  return programs;
}

function sample(pids: readonly number[]): readonly number[] {
  if (pids.length <= MAX_PROCESSES) return pids;
  const first = Math.floor(Math.random() * pids.length);
  return [...pids.slice(first), ...pids.slice(0, first)].slice(0, MAX_PROCESSES);
}

async function driftOf(
  link: string,
  mounts: Mounts,
  isWritten: (root: OverlayRoot) => Promise<boolean>,
): Promise<DriftKind | undefined> {
  if (link.endsWith(DELETED)) return link.startsWith(MEMORY) ? 'memory' : 'deleted';
  if (mounts.isMounted(link)) return 'mounted';
  return mounts.root && (await isWritten(mounts.root)) ? 'written' : undefined;
}

/**
 * A file of /proc, empty if it is not to be seen. The maps of a process that hangs may never come: they are waited for
 * here, and by nothing else.
 */
async function readText(path: string): Promise<string> {
  try {
    await using file = await open(path);
    const chunks: Buffer[] = [];
    while (chunks.length * CHUNK_BYTES < MAX_TEXT_BYTES) {
      const { buffer, bytesRead } = await file.read(Buffer.allocUnsafe(CHUNK_BYTES), 0, CHUNK_BYTES, null);
      if (bytesRead === 0) break;
      chunks.push(buffer.subarray(0, bytesRead));
    }
    return Buffer.concat(chunks).toString('utf8');
  } catch {
    // The process has ended, or is of somebody whom this one may not look at.
    return '';
  }
}

/** The archives of classes that a process has open. */
async function openArchives(folder: string): Promise<readonly string[]> {
  const files = await readdir(folder).catch(() => []);
  const links = files.slice(0, MAX_OPEN_FILES).flatMap((file) => linkOf(`${folder}/${file}`) ?? []);
  return links.filter((link) => link.startsWith('/') && ARCHIVE.test(link));
}

/** Whether the core takes the path; what of an image is called otherwise is of no package. */
function isNameable(path: string): boolean {
  return path === printable(path) && !path.includes('\uFFFD');
}

/** A name as people and the core can read it; who hides a program behind an odd one is told of all the same. */
function printable(link: string): string {
  const path = link.endsWith(DELETED) ? link.slice(0, -DELETED.length) : link;
  return cutToBytes(path.toWellFormed().replace(/\p{Cc}/gu, '?'), MAX_PATH_BYTES);
}
