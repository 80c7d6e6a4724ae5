import { closeSync, fstatSync, readSync } from 'node:fs';
import { type Cataloger, type Findings, HEAD_BYTES } from '../catalogers/cataloger.ts';
import {
  type Examined,
  examine,
  isLacking,
  type Lacking,
  partsLacking,
  partsOf,
  settleLacking,
} from '../catalogers/examine.ts';
import { type FilePart, FileParts, type Piece, type WantedPart } from '../catalogers/file-parts.ts';
import { TextSearch } from './text-search.ts';

/** A file on disk, which the layer has at `path`. `open` gives a descriptor, or undefined if the file is gone. */
export interface HostFile {
  readonly path: string;
  readonly open: () => number | undefined;
}

/** What is searched is not needed any more once it was; all calls here are blocking ones. */
const passing = Buffer.allocUnsafeSlow(64 * 1024);

/** Who looks into a file's content; it may be another process. */
export type Examiner = (cataloger: Cataloger, file: FileParts) => Promise<Examined>;

/**
 * What a cataloger finds in a file on disk; undefined if it is no evidence. Throws system errors only. The calls are the blocking ones: the heads of 5,000 files took 22 ms this way, and 127 ms through the
 * thread pool with sixteen files at a time.
 */
export function examineFile(at: HostFile, cataloger: Cataloger): Findings | undefined {
  const found = withEvidence({ ...at, cataloger }, (file, descriptor) => {
    const fetch = (part: FilePart): Buffer => readPart(descriptor, part);
    return examine(cataloger, file.size <= cataloger.maxBytes ? file.withFetch(fetch) : file);
  });
  if (!isLacking(found)) return found;
  return withEvidence({ ...at, cataloger, lacking: found }, (file) =>
    settleLacking(examine(cataloger, file), file.size),
  );
}

/** The same by another examiner, to which content goes that is read here; undefined if there is nothing to send. */
export function examineFileBy(
  examiner: Examiner,
  at: HostFile,
  cataloger: Cataloger,
): { readonly bytes: number; readonly findings: Promise<Findings | undefined> } | undefined {
  const file = withEvidence({ ...at, cataloger }, (parts) => parts);
  if (file === undefined) return undefined;
  const findings = examiner(cataloger, file).then(async (found) => {
    if (!isLacking(found)) return found;
    const more = withEvidence({ ...at, cataloger, lacking: found }, (parts) => parts);
    return more && settleLacking(await examiner(cataloger, more), more.size);
  });
  return { bytes: file.keptBytes, findings };
}

function withEvidence<T>(
  at: HostFile & { readonly cataloger: Cataloger; readonly lacking?: Lacking },
  use: (file: FileParts, descriptor: number) => T,
): T | undefined {
  const { cataloger } = at;
  const descriptor = at.open();
  if (descriptor === undefined) return undefined;
  try {
    const stats = fstatSync(descriptor);
    if (!stats.isFile()) return undefined;
    const { size } = stats;
    const head = readPart(descriptor, { start: 0, length: Math.min(HEAD_BYTES, size) });
    const hint = cataloger.hint?.(at.path) ?? '';
    const parts = at.lacking
      ? partsLacking(at.lacking, cataloger, size)
      : partsOf(cataloger, head, { size, hint });
    if (parts === undefined) return undefined;
    return use(keepParts(descriptor, { size, hint, head }, parts), descriptor);
  } finally {
    closeSync(descriptor);
  }
}

function keepParts(
  descriptor: number,
  file: { readonly size: number; readonly hint: string; readonly head: Buffer },
  parts: readonly WantedPart[],
): FileParts {
  const pieces: Piece[] = [{ start: 0, bytes: file.head }];
  const searched: FilePart[] = [];
  for (const { around, ...part } of parts) {
    if (part.start + part.length <= file.head.length) continue;
    const found = around ? searchPart(descriptor, part, around) : [readPiece(descriptor, part)];
    if (found === undefined) continue;
    if (around) searched.push(part);
    for (const piece of found) pieces.push(piece);
  }
  return new FileParts(file.size, pieces, { hint: file.hint, searched });
}

function searchPart(
  descriptor: number,
  { start, length }: FilePart,
  around: readonly string[],
): readonly Piece[] | undefined {
  const search = new TextSearch({ start, length }, around);
  for (let at = 0, read = -1; read !== 0 && at < length; at += read) {
    read = readSync(descriptor, passing, 0, Math.min(passing.length, length - at), start + at);
    search.write(passing.subarray(0, read));
  }
  return search.end();
}

function readPiece(descriptor: number, part: FilePart): Piece {
  return { start: part.start, bytes: readPart(descriptor, part) };
}

function readPart(descriptor: number, { start, length }: FilePart): Buffer {
  const bytes = Buffer.allocUnsafe(length);
  let filled = 0;
  for (let read = -1; read !== 0 && filled < length; filled += read) {
    read = readSync(descriptor, bytes, filled, length - filled, start + filled);
  }
  return bytes.subarray(0, filled);
}
