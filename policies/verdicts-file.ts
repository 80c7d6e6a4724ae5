import { toError } from '@gatehouse/lib/errors.ts';
import { readLines } from '@gatehouse/lib/lines.ts';
import { Type } from 'typebox';
import { Compile } from 'typebox/compile';
import { PolicyError } from './errors.ts';
import { parseVerdict } from './verdict.ts';
import type { KnownImage } from './verdict-index.ts';

const Line = Compile(
  Type.Object({
    image: Type.String({ pattern: '^sha256:[0-9a-f]{64}$' }),
    aliases: Type.Optional(Type.Array(Type.String())),
    verdict: Type.Unknown(),
  }),
);

/** A line of 128 names and 20 findings has some 200 KB; what is longer is no verdict. */
const MAX_LINE_CHARACTERS = 4 * 1024 * 1024;

/** The line of a verdicts file for an image. */
export function formatVerdictLine(image: KnownImage): string {
  return `{"image":${JSON.stringify(image.digest)},"aliases":${JSON.stringify(image.aliases)},"verdict":${image.verdict}}\n`;
}

/**
 * The images of a verdicts file (JSON Lines), in the order of the file.
 * Throws PolicyError `verdicts_unreadable` with the number of the line that is wrong.
 */
export async function* readVerdictsFile(path: string): AsyncGenerator<KnownImage, void, undefined> {
  let lineNumber = 0;
  try {
    for await (const line of readLines(path, MAX_LINE_CHARACTERS)) {
      lineNumber++;
      if (line.trim() !== '') yield parseLine(line);
    }
  } catch (cause) {
    const where = lineNumber === 0 ? path : `line ${lineNumber} of ${path}`;
    throw new PolicyError('verdicts_unreadable', `cannot read ${where}: ${toError(cause).message}`, {
      cause,
    });
  }
}

function parseLine(line: string): KnownImage {
  const value: unknown = JSON.parse(line);
  if (!Line.Check(value)) {
    const problem = Line.Errors(value)[0];
    throw new Error(`not valid at ${problem?.instancePath || '/'}: ${problem?.message}`);
  }
  return {
    digest: value.image,
    aliases: value.aliases ?? [],
    verdict: JSON.stringify(parseVerdict(value.verdict)),
  };
}
