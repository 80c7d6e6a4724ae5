/**
 * The fields of each stanza in the format of Debian control files, which Python's metadata share: `Name: value` a line,
 * more lines of a value begin with a blank, an empty line ends the stanza. Names are in lower case; of a name that
 * comes twice the first counts; only the first line of a value is kept, for no field that is read here has more.
 */
export function* parseStanzas(text: string): Generator<ReadonlyMap<string, string>> {
  let fields = new Map<string, string>();
  for (const line of lines(text)) {
    if (line.trim() === '') {
      if (fields.size > 0) yield fields;
      fields = new Map();
      continue;
    }
    const colon = line.indexOf(':');
    if (colon < 1 || line.startsWith(' ') || line.startsWith('\t')) continue;
    const name = line.slice(0, colon).toLowerCase();
    if (!fields.has(name)) fields.set(name, line.slice(colon + 1).trim());
  }
  if (fields.size > 0) yield fields;
}

/** One line after the other: a database of megabytes split at once would be in memory twice. */
export function* lines(text: string): Generator<string> {
  for (let start = 0; start < text.length; ) {
    const newline = text.indexOf('\n', start);
    const end = newline === -1 ? text.length : newline;
    yield text.slice(start, end);
    start = end + 1;
  }
}
