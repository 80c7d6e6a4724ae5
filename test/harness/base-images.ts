import { createHash } from 'node:crypto';
import { copyFile, mkdir, mkdtempDisposable, symlink } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { cached } from './cache.ts';
import { HarnessError } from './errors.ts';
import { buildImage, type Image, type ImageOptions } from './images.ts';
import { progress, runOk } from './process.ts';
import { need } from './tools.ts';

/**
 * Static busybox with a name for each of its applets: a shell, `sleep`, `nslookup`, `wget` and the like, for pods that
 * need nothing else. Unless told, it sleeps until it is asked to end.
 */
export async function busyboxImage(
  folder: string,
  options: Partial<Pick<ImageOptions, 'name' | 'config'>> = {},
): Promise<Image> {
  const { busybox } = await need('busybox');
  await using made = await mkdtempDisposable(path.join(tmpdir(), 'gatehouse-busybox-'));
  // Not the temporary folder itself, which no user but this one may enter.
  const root = path.join(made.path, 'root');
  const bin = path.join(root, 'bin');
  await mkdir(bin, { recursive: true });
  await copyFile(busybox, path.join(bin, 'busybox'));
  const applets = (await runOk([busybox, '--list'])).trim().split('\n');
  for (const applet of applets) if (applet !== 'busybox') await symlink('busybox', path.join(bin, applet));
  return await buildImage(folder, {
    name: options.name ?? 'gatehouse.test/busybox:1',
    layers: [{ folder: root }],
    config: {
      Env: ['PATH=/bin'],
      // A shell as process 1 would ignore SIGTERM if it had no trap for it.
      Cmd: ['sh', '-c', 'trap "exit 0" TERM; sleep infinity & wait'],
      ...options.config,
    },
  });
}

/** Of this suite, without its security updates, many packages have advisories. */
const SUITE = 'bookworm';

/** Files of a root are dated back to this, so that it is the same whenever it is made: the day of Debian 12. */
const ROOT_DATE = '1686355200';

/**
 * The path of a tar archive of a Debian root with `packages`: a real package database, with real vulnerabilities.
 */
export async function debianRoot(packages: readonly string[]): Promise<string> {
  const { mmdebstrap } = await need('mmdebstrap');
  const source = `deb ${await findMirror()} ${SUITE} main`;
  const content = JSON.stringify([source, ROOT_DATE, [...packages].sort()]);
  const key = createHash('sha256').update(content).digest('hex').slice(0, 12);
  const folder = await cached('roots', `${SUITE}-${key}`, async (unfinished) => {
    progress(`making a Debian root with ${packages.join(', ')} (about 15 s)`);
    const options = ['--variant=minbase', `--include=${packages.join(',')}`];
    await runOk([mmdebstrap, ...options, SUITE, path.join(unfinished, 'root.tar'), source], {
      env: { SOURCE_DATE_EPOCH: ROOT_DATE },
    });
  });
  return path.join(folder, 'root.tar');
}

/** Where the machine itself gets the packages of the suite from. */
async function findMirror(): Promise<string> {
  const only = ['Created-By: Packages', `Release: ${SUITE}`, 'Component: main'];
  const [mirror] = (await runOk(['apt-get', 'indextargets', '--format', '$(REPO_URI)', ...only])).split('\n');
  if (mirror) return mirror;
  throw new HarnessError(
    'tool_missing',
    `the package sources of this machine do not name Debian's ${SUITE}`,
    {
      hint: 'Add it to /etc/apt/sources.list.d, and run `apt-get update`.',
    },
  );
}
