import { parseReference } from '@gatehouse/policies';
import { CoreError } from '../errors.ts';

const digestPattern = /^sha256:[0-9a-f]{64}$/;
/** Docker allows 127 layers; what is built by other means has seldom more. */
export const MAX_LAYERS = 512;
/** A node knows an image by a handful of names; a registry mirror may double them. */
const MAX_ALIASES = 128;
const MAX_TEXT_LENGTH = 512;

/** The text, if it is a SHA-256 digest, else CoreError `invalid_request`. */
export function digest(field: string, text: string): string {
  if (!digestPattern.test(text))
    throw new CoreError('invalid_request', `${field} is not a digest such as sha256:<64 hex digits>`);
  return text;
}

/** The layers of an image, from the bottom to the top. */
export function diffIds(field: string, texts: readonly string[]): readonly string[] {
  if (texts.length > MAX_LAYERS) {
    throw new CoreError('invalid_request', `${field} has ${texts.length} entries; the most is ${MAX_LAYERS}`);
  }
  return texts.map((text, index) => digest(`${field}[${index}]`, text));
}

/**
 * The names of an image in their full form. Docker leaves docker.io out, and old runtimes say <none>:
 * what no pod could name is left out, and so are names beyond the most, for whoever may start pods can give an image as
 * many as he likes, and must not thereby silence the node.
 */
export function aliases(texts: readonly string[]): string[] {
  const full = texts.flatMap((each) => {
    const reference = parseReference(each);
    if (!reference) return [];
    const { repository, tag, digest } = reference;
    return `${repository}${tag === undefined ? '' : `:${tag}`}${digest === undefined ? '' : `${repository && '@'}${digest}`}`;
  });
  return [...new Set(full)].sort(digestsFirst).slice(0, MAX_ALIASES);
}

/** What the tags are put to digests by when pods are pinned. */
function digestsFirst(a: string, b: string): number {
  const order = Number(b.includes('@')) - Number(a.includes('@'));
  return order || (a < b ? -1 : Number(a > b));
}

/** A text that is kept as it is, of a length that cannot hurt. */
export function shortText(field: string, text: string, most = MAX_TEXT_LENGTH): string {
  if (text.length > most) {
    throw new CoreError('invalid_request', `${field} has ${text.length} characters; the most is ${most}`);
  }
  // PostgreSQL takes no zero bytes in texts.
  return text.replaceAll('\0', '');
}

/** Why something failed, cut to the length that is kept: it quotes from images, and is no reason to refuse the report. */
export function reasonText(text: string): string {
  return shortText('reason', text.slice(0, MAX_TEXT_LENGTH));
}
