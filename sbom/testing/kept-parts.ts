import type { Cataloger, Findings } from '../catalogers/cataloger.ts';
import { examine, partsOf } from '../catalogers/examine.ts';
import { type FilePart, FileParts } from '../catalogers/file-parts.ts';

/** Only the head of a file and the parts that a cataloger asked for, as a stream would keep them. */
export function keptParts(content: Buffer, parts: readonly FilePart[], hint = ''): FileParts {
  const head = { start: 0, bytes: content.subarray(0, 4096) };
  const pieces = parts.map(({ start, length }) => ({
    start,
    bytes: content.subarray(start, start + length),
  }));
  return new FileParts(content.length, [head, ...pieces], { hint });
}

/** What a cataloger finds in a file that streams by. */
export function examineStreamed(
  cataloger: Cataloger,
  content: Buffer,
  hint = '',
): Findings | 'needs-whole' | undefined {
  const parts = partsOf(cataloger, content.subarray(0, 4096), { size: content.length, hint });
  return parts && examine(cataloger, keptParts(content, parts, hint));
}
