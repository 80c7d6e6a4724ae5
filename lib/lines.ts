import { createReadStream } from 'node:fs';

/**
 * The lines of a UTF-8 file, each with its line end, which the last one may lack. Unlike node:readline it takes nothing
 * but \n for a line end: JSON may have U+2028 in its texts. Throws at a line of more than `most` characters before it is
 * all in memory, and whatever reading throws.
 */
export async function* readLines(path: string, most: number): AsyncGenerator<string, void, undefined> {
  let rest = '';
  for await (const text of createReadStream(path, 'utf8')) {
    const lines = `${rest}${text}`.split('\n');
    rest = lines.pop() ?? '';
    for (const line of lines) yield `${checked(line, most)}\n`;
    checked(rest, most);
  }
  if (rest !== '') yield rest;
}

function checked(line: string, most: number): string {
  if (line.length > most) throw new Error(`a line is longer than ${most} characters`);
  return line;
}
