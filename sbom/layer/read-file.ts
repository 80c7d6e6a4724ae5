import { closeSync, constants, fstatSync, openSync, readSync } from 'node:fs';
import { type Cataloger, type Findings, HEAD_BYTES } from '../catalogers/cataloger.ts';
import { examine, partsOf, wholeOf } from '../catalogers/examine.ts';
import { type FilePart, FileParts } from '../catalogers/file-parts.ts';

/** Never through a link, and never waiting for the other end of a FIFO that took the file's place. */
const OPEN_FLAGS = constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK;

/** Who looks into a file's content; it may be another process. */
export type Examiner = (
  cataloger: Cataloger,
  file: FileParts,
) => Promise<Findings | 'needs-whole' | undefined>;

/**
 * What a cataloger finds in a file on disk, which the layer has at `path`; undefined if it is no evidence. Throws system
 * errors only. The calls are the blocking ones: the heads of 5,000 files took 22 ms this way, and 127 ms through the
 * thread pool with sixteen files at a time.
 */
export function examineFile(host: string, cataloger: Cataloger, path: string): Findings | undefined {
  return withEvidence({ host, cataloger, path }, (file, descriptor) => {
    const fetch = (part: FilePart): Buffer => readPart(descriptor, part);
    const findings = examine(cataloger, file.size <= cataloger.maxBytes ? file.withFetch(fetch) : file);
    return findings === 'needs-whole' ? undefined : findings;
  });
}

/** The same by another examiner, to which content goes that is read here; undefined if there is nothing to send. */
export function examineFileBy(
  examiner: Examiner,
  host: string,
  cataloger: Cataloger,
  path: string,
): { readonly bytes: number; readonly findings: Promise<Findings | undefined> } | undefined {
  const file = withEvidence({ host, cataloger, path }, (parts) => parts);
  if (file === undefined) return undefined;
  const findings = examiner(cataloger, file).then(async (found) => {
    if (found !== 'needs-whole') return found;
    const whole = withEvidence({ host, cataloger, path, whole: true }, (parts) => parts);
    const again = whole && (await examiner(cataloger, whole));
    return again === 'needs-whole' ? undefined : again;
  });
  return { bytes: file.keptBytes, findings };
}

function withEvidence<T>(
  at: { host: string; cataloger: Cataloger; path: string; whole?: boolean },
  use: (file: FileParts, descriptor: number) => T,
): T | undefined {
  const { cataloger } = at;
  const descriptor = openSync(at.host, OPEN_FLAGS);
  try {
    const stats = fstatSync(descriptor);
    if (!stats.isFile()) return undefined;
    const { size } = stats;
    const head = readPart(descriptor, { start: 0, length: Math.min(HEAD_BYTES, size) });
    const hint = cataloger.hint?.(at.path) ?? '';
    const parts = at.whole ? wholeOf(cataloger, size) : partsOf(cataloger, head, { size, hint });
    if (parts === undefined) return undefined;
    const pieces = parts
      .filter(({ start, length }) => start + length > head.length)
      .map((part) => ({ start: part.start, bytes: readPart(descriptor, part) }));
    return use(new FileParts(size, [{ start: 0, bytes: head }, ...pieces], { hint }), descriptor);
  } finally {
    closeSync(descriptor);
  }
}

function readPart(descriptor: number, { start, length }: FilePart): Buffer {
  const bytes = Buffer.allocUnsafe(length);
  let filled = 0;
  for (let read = -1; read !== 0 && filled < length; filled += read) {
    read = readSync(descriptor, bytes, filled, length - filled, start + filled);
  }
  return bytes.subarray(0, filled);
}
