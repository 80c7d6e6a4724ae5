import { lstat } from 'node:fs/promises';
import path from 'node:path';
import { runOk } from '../../test/harness/process.ts';

/** An installed package of Debian, from which other distributions' packages are made. */
export interface DebianPackage {
  readonly name: string;
  readonly source: string;
  readonly epoch: string | undefined;
  readonly version: string;
  readonly revision: string;
  /** Files and links, without a leading slash. */
  readonly files: readonly string[];
}

const FORMAT = ['Package', 'Architecture', 'Version', 'source:Package']
  .map((field) => `\${${field}}`)
  .join('\t');
/** Manuals are never evidence, and half of all files. */
const LEFT_OUT = /^usr\/share\/(doc|man|locale|info|lintian)\//;
/** RPM and nfpm take the others for patterns. */
const PLAIN = /^[\w./+:=@,~-]+$/;

/** What dpkg lists in a root, by name. */
export async function debianPackages(root: string): Promise<readonly DebianPackage[]> {
  const database = ['--admindir', path.join(root, 'var/lib/dpkg')];
  const lines = (await runOk(['dpkg-query', ...database, '-W', '-f', `${FORMAT}\n`])).trimEnd().split('\n');
  const found: DebianPackage[] = [];
  for (const line of lines) {
    const [name = '', arch = '', text = '', source = ''] = line.split('\t');
    const listed = await runOk(['dpkg-query', ...database, '--listfiles', `${name}:${arch}`]);
    const files: string[] = [];
    for (const file of new Set(listed.split('\n').map(placeOf))) {
      if (PLAIN.test(file) && !LEFT_OUT.test(file) && (await isLeaf(path.join(root, file)))) files.push(file);
    }
    found.push({ name, source, ...splitVersion(text), files });
  }
  return found;
}

/** Debian's folders of old are links into /usr. */
function placeOf(line: string): string {
  const file = line.slice(1);
  return /^(bin|sbin|lib\w*)(\/|$)/.test(file) ? `usr/${file}` : file;
}

async function isLeaf(file: string): Promise<boolean> {
  const stats = await lstat(file).catch(() => undefined);
  return stats !== undefined && !stats.isDirectory();
}

function splitVersion(text: string): { epoch: string | undefined; version: string; revision: string } {
  const [, epoch, version = '', revision] = /^(?:(\d+):)?(.+?)(?:-([^-]+))?$/.exec(text) ?? [];
  return { epoch, version, revision: revision ?? '0' };
}
