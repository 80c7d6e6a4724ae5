/** The JAR specification bounds lines at 72 bytes; long values go on in lines that begin with a blank. */
const CONTINUATION = /\n /g;

/** The main section of a MANIFEST.MF, by names in lower case: what follows the first empty line is about single files. */
export function parseManifest(text: string): ReadonlyMap<string, string> {
  const unix = text.replace(/\r\n?/g, '\n').replace(/^\n+/, '');
  const end = unix.indexOf('\n\n');
  const main = (end < 0 ? unix : unix.slice(0, end)).replace(CONTINUATION, '');
  const attributes = new Map<string, string>();
  for (const line of main.split('\n')) {
    const colon = line.indexOf(':');
    if (colon > 0) attributes.set(line.slice(0, colon).toLowerCase(), line.slice(colon + 1).trim());
  }
  return attributes;
}
