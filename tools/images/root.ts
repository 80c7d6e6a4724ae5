import { createHash } from 'node:crypto';
import { mkdir, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { cached } from '../../test/harness/cache.ts';
import { progress, runOk } from '../../test/harness/process.ts';
import { need } from '../../test/harness/tools.ts';

const SUITE = 'bookworm';
/** Files get at most this date, so that equal packages give equal bytes. It is that of Debian 12. */
const DATE = '1686355200';

/** Takes the packages away that nothing in the image uses, though others depend on them for their installation. */
const dropPackages = (names: readonly string[]): string => `
  for name in ${names.join(' ')}; do
    for deb in "$1"/var/cache/apt/archives/"$name"_*.deb; do
      dpkg-deb --fsys-tarfile "$deb" | tar -t | sed 's,^\\./,,' | while read -r file; do
        [ -d "$1/$file" ] && [ ! -L "$1/$file" ] || rm -f "$1/$file"
      done
      rm "$deb"
    done
  done`;

/** Says what the packages are by a file each in status.d, as distroless images do and scanners know it. */
const TELL_PACKAGES = `
  mkdir -p "$1/var/lib/dpkg/status.d"
  for deb in "$1"/var/cache/apt/archives/*.deb; do
    dpkg-deb --field "$deb" > "$1/var/lib/dpkg/status.d/$(dpkg-deb --field "$deb" Package)"
  done`;

/** Nothing in the image installs packages, so what a package manager keeps is of no use there. */
const CLEAN = `
  rm -rf "$1"/etc/apt "$1"/etc/dpkg "$1"/var/lib/apt "$1"/var/cache/apt "$1"/var/log/apt "$1"/usr/share/man
  find "$1/var/lib/dpkg" -mindepth 1 -maxdepth 1 -not -name status.d -exec rm -rf {} +
  find "$1" -xdev -depth -type d -empty -path "$1/usr/*" -delete`;

export interface RootContent {
  readonly packages: readonly string[];
  /** Packages to leave out although others depend on them. */
  readonly without?: readonly string[];
  /** Further files, by their paths; those that begin with #! are executable. */
  readonly files?: Readonly<Record<string, string>>;
}

/**
 * The path of a tar of a minimal Debian root: the packages and what they depend on, unpacked, with no shell, no package
 * manager and no users unless a package brings them. With security updates.
 */
export async function minimalRoot({ packages, without = [], files = {} }: RootContent): Promise<string> {
  const { mmdebstrap } = await need('mmdebstrap');
  const hooks = [dropPackages(without), TELL_PACKAGES, CLEAN];
  const content = JSON.stringify([SUITE, DATE, packages, files, hooks]);
  // Made anew each day, for the sake of the updates.
  const day = new Date().toISOString().slice(0, 10);
  const key = `${day}-${createHash('sha256').update(content).digest('hex').slice(0, 12)}`;
  const folder = await cached('image-roots', key, async (unfinished) => {
    progress(`making a root with ${packages.join(', ')}`);
    const overlay = path.join(unfinished, 'files');
    for (const [name, text] of Object.entries(files)) {
      await mkdir(path.dirname(path.join(overlay, name)), { recursive: true });
      await writeFile(path.join(overlay, name), text, { mode: text.startsWith('#!') ? 0o755 : 0o644 });
    }
    await mkdir(overlay, { recursive: true });
    await runOk(
      [
        mmdebstrap,
        '--variant=extract',
        // CLEAN does more than this, and before it.
        '--skip=cleanup/apt,cleanup/mmdebstrap',
        `--include=${packages.join(',')}`,
        '--dpkgopt=path-exclude=/usr/share/doc/*',
        '--dpkgopt=path-include=/usr/share/doc/*/copyright',
        '--dpkgopt=path-exclude=/usr/share/locale/*',
        ...hooks.map((hook) => `--extract-hook=${hook}`),
        `--extract-hook=cp -r ${overlay}/. "$1"`,
        SUITE,
        path.join(unfinished, 'root.tar'),
      ],
      { env: { SOURCE_DATE_EPOCH: DATE } },
    );
  });
  return path.join(folder, 'root.tar');
}
