import { lstat, mkdir, readlink, rm, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { runOk } from '../../test/harness/process.ts';
import { need } from '../../test/harness/tools.ts';
import { type DebianPackage, debianPackages } from './debian-packages.ts';

/** The root of a system of apk: what Debian's packages have in them, built by nfpm and installed by apko's installer. */
export async function makeApkRoot(debian: string, root: string): Promise<void> {
  const { apk, nfpm } = await need('apk', 'nfpm');
  const work = `${root}.work`;
  await mkdir(work, { recursive: true });
  const files: string[] = [];
  for (const each of await debianPackages(debian)) {
    const config = path.join(work, `${each.name}.json`);
    const file = path.join(work, `${each.name}.apk`);
    await writeFile(config, JSON.stringify(await configOf(each, debian)));
    await runOk([nfpm, 'package', '--config', config, '--packager', 'apk', '--target', file]);
    files.push(file);
  }
  await runOk([apk, root, ...files]);
  await writeFile(path.join(root, 'etc/os-release'), OS_RELEASE);
  await rm(work, { recursive: true });
}

const OS_RELEASE = 'NAME="Alpine Linux"\nID=alpine\nVERSION_ID=3.20.3\nPRETTY_NAME="Alpine Linux v3.20"\n';

async function configOf({ name, version, files }: DebianPackage, debian: string): Promise<object> {
  const contents = [];
  for (const file of files) contents.push(await contentOf(path.join(debian, file), `/${file}`));
  return {
    name,
    arch: 'amd64',
    platform: 'linux',
    version: /^\d+(\.\d+)*/.exec(version)?.[0] ?? '0',
    version_schema: 'none',
    release: '0',
    maintainer: 'us',
    description: 'words',
    disable_globbing: true,
    contents,
  };
}

async function contentOf(src: string, dst: string): Promise<object> {
  const stats = await lstat(src);
  if (stats.isSymbolicLink()) return { src: await readlink(src), dst, type: 'symlink' };
  // It cannot write the bits that make a program run as its owner.
  return { src, dst, file_info: { mode: stats.mode & 0o777 } };
}
