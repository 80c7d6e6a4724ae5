import { mkdir, mkdtempDisposable, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { run } from './run.ts';

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

/**
 * Nothing in the image installs packages, so what a package manager keeps is of no use there. What the machine is called
 * and whom it asks for names is nothing of the image's.
 */
const CLEAN = `
  rm -rf "$1"/etc/apt "$1"/etc/dpkg "$1"/var/lib/apt "$1"/var/cache/apt "$1"/var/log/apt "$1"/usr/share/man
  rm -f "$1"/etc/hostname "$1"/etc/resolv.conf
  find "$1/var/lib/dpkg" -mindepth 1 -maxdepth 1 -not -name status.d -exec rm -rf {} +
  find "$1" -xdev -depth -type d -empty -path "$1/usr/*" -delete`;

export interface RootContent {
  readonly packages: readonly string[];
  /** Packages to leave out although others depend on them. */
  readonly without?: readonly string[];
  /** Further files, by their paths; those that begin with #! are executable. */
  readonly files?: Readonly<Record<string, string>>;
}

/** What mmdebstrap is told of a root, except for its further files. */
export const rootOptions = ({ packages, without = [] }: RootContent): readonly string[] => [
  '--variant=extract',
  // CLEAN does more than the first two, and before them. Nothing runs in the root, so that nothing of the machine has to
  // be mounted there, where a hook could delete it. Devices come from the runtime.
  '--skip=cleanup/apt,cleanup/mmdebstrap,chroot/mount,output/dev',
  `--include=${packages.join(',')}`,
  '--dpkgopt=path-exclude=/usr/share/doc/*',
  '--dpkgopt=path-include=/usr/share/doc/*/copyright',
  '--dpkgopt=path-exclude=/usr/share/locale/*',
  ...[dropPackages(without), TELL_PACKAGES, CLEAN].map((hook) => `--extract-hook=${hook}`),
];

/**
 * Writes a minimal Debian root to `target`, a folder or a file that ends in .tar: the packages and what they depend on,
 * unpacked, with no shell, no package manager and no users unless a package brings them. With security updates. Takes
 * mmdebstrap, and root.
 */
export async function writeRoot(content: RootContent, target: string): Promise<void> {
  await using made = await mkdtempDisposable(path.join(tmpdir(), 'gatehouse-root-'));
  // Not the temporary folder itself, which no user but this one may enter.
  const overlay = path.join(made.path, 'files');
  await mkdir(overlay);
  for (const [name, text] of Object.entries(content.files ?? {})) {
    await mkdir(path.dirname(path.join(overlay, name)), { recursive: true });
    await writeFile(path.join(overlay, name), text, { mode: text.startsWith('#!') ? 0o755 : 0o644 });
  }
  const copyFiles = `--extract-hook=cp -r ${overlay}/. "$1"`;
  await run(['mmdebstrap', ...rootOptions(content), copyFiles, SUITE, target], {
    env: { SOURCE_DATE_EPOCH: DATE },
  });
  // An archive has no devices; in a folder they may have been made.
  if (!target.endsWith('.tar')) await rm(path.join(target, 'dev'), { recursive: true });
}
