import { createHash } from 'node:crypto';
import { apk } from './apk.ts';
import type { Cataloger } from './cataloger.ts';
import { conda } from './conda.ts';
import { dotnet } from './dotnet.ts';
import { dpkg } from './dpkg.ts';
import { dpkgFiles } from './dpkg-files.ts';
import { executable } from './executable.ts';
import { java } from './java.ts';
import { jvm } from './jvm.ts';
import { npm } from './npm.ts';
import { osRelease } from './os-release.ts';
import { php } from './php.ts';
import { python } from './python.ts';
import { rpm } from './rpm.ts';
import { rpmManifest } from './rpm-manifest.ts';
import { ruby } from './ruby.ts';

/** Each file belongs to the first that matches; the one that would look into any executable comes last. */
export const catalogers: readonly Cataloger[] = [
  dpkg,
  dpkgFiles,
  apk,
  rpm,
  rpmManifest,
  osRelease,
  npm,
  python,
  java,
  jvm,
  dotnet,
  php,
  ruby,
  conda,
  executable,
];

/** To be raised with every change after which the same layer can give a fragment with other entries or problems. */
const READER_VERSION = 3;

/**
 * What makes two fragments of one layer equal: the program that reads layers, and each cataloger, by the versions that
 * they state themselves. A test holds what each version gives for its samples, so that none can change in silence.
 */
export const CATALOGER_VERSION = versionOf(READER_VERSION, catalogers);

/** The form that CATALOGER_VERSION has, in whatever release. */
export const CATALOGER_VERSION_FORM = /^\d+-[0-9a-f]{12}$/;

function versionOf(reader: number, table: readonly Cataloger[]): string {
  const stated = table.map(({ name, version }) => `${name} ${version}\n`).sort();
  const hash = createHash('sha256').update(stated.join('')).digest('hex');
  return `${reader}-${hash.slice(0, 12)}`;
}

/** The cataloger of a name, as fragments and other processes tell it. */
export function catalogerNamed(name: string): Cataloger | undefined {
  return catalogers.find((each) => each.name === name);
}

/** The cataloger whose evidence a file can be, if there is one. */
export function catalogerFor(
  path: string,
  file: { readonly size: number; readonly mode: number },
): Cataloger | undefined {
  return catalogers.find((each) => each.matches(path, file));
}
