import { constants } from 'node:fs';
import { access, readdir, readFile, rm } from 'node:fs/promises';
import path from 'node:path';
import { parseEnv } from 'node:util';
import { cached, cacheFolder, holdLock } from './cache.ts';
import { HarnessError } from './errors.ts';
import { progress, run, runOk } from './process.ts';

/** Where programs for root are, which the path of other users lacks, and where Go's own archive puts Go. */
const SYSTEM_FOLDERS = ['/usr/local/sbin', '/usr/sbin', '/sbin', '/usr/local/go/bin'];

/** The path of a program that is named as in a shell, or undefined where the machine lacks it. */
async function findProgram(name: string): Promise<string | undefined> {
  for (const folder of [...(process.env.PATH ?? '').split(':'), ...SYSTEM_FOLDERS]) {
    const file = path.resolve(folder, name);
    const found = await access(file, constants.X_OK).then(
      () => true,
      () => false,
    );
    if (found) return file;
  }
  return undefined;
}

/** The path of a program of the system, whose Debian package is installed where it is missing. */
export async function installPackage(program: string, debianPackage: string): Promise<string> {
  const found = await findProgram(program);
  if (found !== undefined) return found;
  if (process.getuid?.() !== 0) {
    throw new HarnessError('tool_missing', `this machine has no ${program}`, {
      hint: `Install it as root, on Debian with \`apt-get install ${debianPackage}\`.`,
    });
  }
  await using _lock = await holdLock(cacheFolder('locks', 'debian'));
  progress(`installing ${debianPackage}`);
  await apt(['install', debianPackage], '/');
  const installed = await findProgram(program);
  if (installed !== undefined) return installed;
  throw new HarnessError('tool_missing', `the Debian package ${debianPackage} brought no program ${program}`);
}

/** The path of a file or folder of a Debian package, which is unpacked into the cache instead of being installed. */
export async function unpackPackage(debianPackage: string, file: string): Promise<string> {
  const folder = await cached('debian', path.join(await release(), debianPackage), async (unfinished) => {
    progress(`fetching ${debianPackage}`);
    await apt(['download', debianPackage], unfinished);
    for (const archive of await readdir(unfinished)) {
      await runOk(['dpkg-deb', '--extract', archive, '.'], { cwd: unfinished });
      await rm(path.join(unfinished, archive));
    }
  });
  return path.join(folder, file);
}

/** The name of the system's release, such as `debian-12`: its programs need its libraries. */
async function release(): Promise<string> {
  const fields = parseEnv(await readFile('/etc/os-release', 'utf8'));
  return `${fields.ID}-${fields.VERSION_ID}`;
}

async function apt(args: readonly string[], cwd: string): Promise<void> {
  if ((await findProgram('apt-get')) === undefined) {
    throw new HarnessError('tool_missing', `cannot get ${args.at(-1)}: this system has no apt-get`, {
      hint: 'Clusters are made of the packages of Debian or Ubuntu; run it there, or in a privileged container of one.',
    });
  }
  const argv = ['apt-get', '--yes', '--no-install-recommends', ...args];
  const options = { cwd, env: { DEBIAN_FRONTEND: 'noninteractive' } };
  const { code } = await run(argv, options);
  if (code === 0) return;
  // A fresh machine has no lists of packages yet, and old lists name files that are gone.
  await runOk(['apt-get', 'update'], options);
  await runOk(argv, options);
}
