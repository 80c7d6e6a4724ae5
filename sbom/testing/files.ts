import { FileParts } from '../catalogers/file-parts.ts';

/** A whole file in memory, as catalogers get it. */
export function fileOf(content: string | Buffer, hint = ''): FileParts {
  const bytes = Buffer.from(content);
  return new FileParts(bytes.length, [{ start: 0, bytes }], { hint });
}
