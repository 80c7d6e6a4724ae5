const [QUOTE, BACKSLASH, COMMA] = [0x22, 0x5c, 0x2c];
const [OPEN_LIST, CLOSE_LIST, OPEN_OBJECT, CLOSE_OBJECT] = [0x5b, 0x5d, 0x7b, 0x7d];

/** What JSON may hold before it is taken apart. */
export interface JsonBounds {
  readonly depth: number;
  /** An empty list takes three bytes of a text and tens of memory. */
  readonly values: number;
}

/** In what JSON that anyone may have sent goes beyond the bounds; undefined if it does not, or is no JSON. */
export function beyondBounds(json: Buffer, { depth: deepest, values: most }: JsonBounds): string | undefined {
  let depth = 0;
  let values = 1;
  for (let at = 0; at < json.length; at++) {
    const byte = json[at];
    if (byte === QUOTE) at = endOfString(json, at + 1);
    else if (byte === COMMA) values++;
    else if (byte === CLOSE_LIST || byte === CLOSE_OBJECT) depth--;
    else if (byte === OPEN_LIST || byte === OPEN_OBJECT) {
      values++;
      if (++depth > deepest) return `is nested more than ${deepest} deep`;
    }
    if (values > most) return `has more than ${most} values`;
  }
  return undefined;
}

/** Where the quote stands that ends a string; the end of the text if none does. */
function endOfString(json: Buffer, from: number): number {
  let at = from;
  while (at < json.length && json[at] !== QUOTE) at += json[at] === BACKSLASH ? 2 : 1;
  return at;
}
