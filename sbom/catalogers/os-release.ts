import type { OsRelease } from '../os-release.ts';
import { type Cataloger, type Findings, MAX_TEXT_BYTES, textOf } from './cataloger.ts';

/**
 * os-release(5) in both its places, and the variants that some distributions link to from there, such as
 * usr/lib/os.release.d/os-release-container.
 */
const OS_RELEASE = /^(etc|usr\/lib)\/([^/]+\/)?os-release[^/]*$/;

/** The operating system's own description of itself. */
export const osRelease: Cataloger = {
  name: 'os-release',
  version: 1,
  maxBytes: MAX_TEXT_BYTES,
  matches: (path) => OS_RELEASE.test(path),
  catalog: (file): Findings => ({ packages: [], os: parseOsRelease(textOf(file)) }),
};

function parseOsRelease(text: string): OsRelease {
  const values = new Map<string, string>();
  for (const line of text.split('\n')) {
    const equals = line.indexOf('=');
    if (equals > 0) values.set(line.slice(0, equals).trim(), unquote(line.slice(equals + 1).trim()));
  }
  return {
    // The default that os-release(5) gives.
    id: values.get('ID') || 'linux',
    versionId: values.get('VERSION_ID') || undefined,
    prettyName: values.get('PRETTY_NAME') || undefined,
  };
}

/** The quoting of a shell without its expansions: in double quotes a backslash keeps `"`, `$`, a backslash, a backtick. */
function unquote(value: string): string {
  const quoted = /^(["'])(.*)\1$/.exec(value);
  if (quoted?.[1] === "'") return quoted[2] ?? '';
  return quoted ? (quoted[2] ?? '').replace(/\\(["$\\`])/g, '$1') : value.replace(/\\(.)/g, '$1');
}
