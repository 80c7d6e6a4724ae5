/** JSON in UTF-8, with or without a byte order mark. Throws a SyntaxError or, where it is not UTF-8, a TypeError. */
export function parseJson(bytes: Uint8Array): unknown {
  return JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(bytes));
}
