import type { Cataloger, Findings } from '../catalogers/cataloger.ts';
import {
  type Examined,
  examine,
  isLacking,
  partsLacking,
  partsOf,
  settleLacking,
} from '../catalogers/examine.ts';
import type { FilePart } from '../catalogers/file-parts.ts';
import { catalogerFor } from '../catalogers/table.ts';
import { SbomError } from '../errors.ts';
import type { Fragment } from '../fragment.ts';
import { type LayerBlob, readBlob } from './blob-reader.ts';
import { type BlobFile, BlobTree } from './blob-tree.ts';
import { BodyKeeper } from './body-keeper.ts';
import { EvidenceList } from './evidence-list.ts';
import type { TarEntry } from './tar-entry.ts';
import type { TarBody } from './tar-reader.ts';

/** A file that can be evidence where it lies. */
interface Candidate {
  readonly path: string;
  readonly file: BlobFile;
  readonly cataloger: Cataloger;
  readonly hint: string;
}

/**
 * Reads a layer from its archive, of which nothing is written to disk, and gives the diff id that the archive really
 * has. With `diffId`, the one that the image names, another one is an error. The archive is opened a second time if
 * an evidence file is a hard link to a file whose content was not kept, as all are in images made by ostree.
 * Throws SbomError `layer_corrupt`, `layer_too_large`, `layer_unreadable` or `layer_mismatch`, or the signal's reason.
 */
export async function catalogBlob(
  blob: LayerBlob,
  options: { readonly diffId?: string | undefined; readonly signal?: AbortSignal | undefined } = {},
): Promise<{ readonly fragment: Fragment; readonly diffId: string }> {
  const blobTree = new BlobTree(blob.name);
  const diffId = await readBlob(blob, (entry) => addEntry(blobTree, entry), options.signal);
  verify(blob, options.diffId ?? diffId, diffId);
  const candidates = [...blobTree.tree.files()].flatMap(([path, file]) => toCandidate(path, file) ?? []);
  const unread = candidates.filter(isUnread);
  if (unread.length > 0) {
    const byPosition = Map.groupBy(unread, ({ file }) => file.position);
    const again = await readBlob(
      blob,
      (entry) => readWhole(byPosition.get(entry.position), entry),
      options.signal,
    );
    verify(blob, diffId, again);
  }
  const evidence = new EvidenceList();
  for (const candidate of candidates) {
    const findings = settleLacking(readingOf(candidate), candidate.file.size);
    if (findings) evidence.push(candidate.path, candidate.cataloger, findings);
  }
  return { fragment: blobTree.tree.toFragment(evidence, 'exact'), diffId };
}

function addEntry(blobTree: BlobTree, entry: TarEntry): TarBody | undefined {
  const added = blobTree.add(entry);
  const candidate = added && toCandidate(added.path, added.file);
  return (
    candidate &&
    keepBody(entry, [candidate], (head) =>
      partsOf(candidate.cataloger, head, { size: entry.size, hint: candidate.hint }),
    )
  );
}

function readWhole(candidates: readonly Candidate[] | undefined, entry: TarEntry): TarBody | undefined {
  return (
    candidates &&
    keepBody(entry, candidates, () => candidates.flatMap((each) => lackingParts(each, entry.size)))
  );
}

function lackingParts(candidate: Candidate, size: number): readonly FilePart[] {
  const found = readingOf(candidate);
  return partsLacking(isLacking(found) ? found : undefined, candidate.cataloger, size);
}

function keepBody(
  entry: TarEntry,
  candidates: readonly Candidate[],
  plan: (head: Buffer) => readonly FilePart[] | undefined,
): TarBody | undefined {
  if (entry.sparse) {
    for (const candidate of candidates) keepReading(candidate, sparseFile);
    return undefined;
  }
  return new BodyKeeper(entry.bodySize, plan, (content) => {
    for (const candidate of candidates) {
      const { cataloger, hint } = candidate;
      keepReading(candidate, content && examine(cataloger, content.withHint(hint)));
    }
  });
}

function keepReading(candidate: Candidate, reading: Examined): void {
  candidate.file.readings ??= new Map();
  candidate.file.readings.set(readingKey(candidate), reading);
}

const sparseFile: Findings = {
  packages: [],
  problem: { code: 'evidence_sparse', message: 'the archive holds only the parts that are not zero' },
};

function toCandidate(path: string, file: BlobFile): Candidate | undefined {
  const cataloger = catalogerFor(path, file);
  return cataloger && { path, file, cataloger, hint: cataloger.hint?.(path) ?? '' };
}

/** The names of a file that its cataloger does not tell apart share what it found. */
function readingKey({ cataloger, hint }: Candidate): string {
  return `${cataloger.name}\n${hint}`;
}

function isUnread(candidate: Candidate): boolean {
  return !candidate.file.readings?.has(readingKey(candidate)) || isLacking(readingOf(candidate));
}

function readingOf(candidate: Candidate): Examined {
  return candidate.file.readings?.get(readingKey(candidate));
}

function verify(blob: LayerBlob, expected: string, actual: string): void {
  if (expected === actual) return;
  throw new SbomError('layer_mismatch', `the layer ${blob.name} has the diff id ${actual}, not ${expected}`, {
    hint: 'The archive was damaged or replaced on its way; fetch the image again.',
  });
}
