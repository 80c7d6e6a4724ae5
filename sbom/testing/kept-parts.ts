import type { Cataloger } from '../catalogers/cataloger.ts';
import { type Examined, examine, partsOf } from '../catalogers/examine.ts';
import type { FileParts, WantedPart } from '../catalogers/file-parts.ts';
import { BodyKeeper } from '../layer/body-keeper.ts';

/** As decompressors give them, and a number that nothing else is a multiple of. */
const CHUNK_BYTES = 65_521;

/** Only the head of a file and the parts that a cataloger asked for, as a stream keeps them. */
export function keptParts(content: Buffer, parts: readonly WantedPart[], hint = ''): FileParts {
  const kept: FileParts[] = [];
  const keeper = new BodyKeeper(
    content.length,
    () => parts,
    (file) => {
      if (file) kept.push(file.withHint(hint));
    },
  );
  for (let at = 0; at < content.length; at += CHUNK_BYTES) {
    keeper.write(content.subarray(at, at + CHUNK_BYTES));
  }
  keeper.end();
  const [file] = kept;
  if (file === undefined) throw new Error('a file that ended nowhere');
  return file;
}

/** What a cataloger finds in a file that streams by. */
export function examineStreamed(cataloger: Cataloger, content: Buffer, hint = ''): Examined {
  const parts = partsOf(cataloger, content.subarray(0, 4096), { size: content.length, hint });
  return parts && examine(cataloger, keptParts(content, parts, hint));
}
