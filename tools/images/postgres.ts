import { readFile } from 'node:fs/promises';
import path from 'node:path';
import type { RootContent } from './root.ts';

const PACKAGES = ['base-files', 'dash', 'coreutils', 'postgresql-15'];
/** They serve to install and to manage several servers on a machine, and to compile queries. */
const WITHOUT = [
  ...[
    'adduser',
    'debconf',
    'debianutils',
    'dpkg',
    'init-system-helpers',
    'libc-l10n',
    'libllvm14',
    'libsemanage2',
  ],
  ...[
    'libsemanage-common',
    'libz3-4',
    'locales',
    'lsb-base',
    'mawk',
    'openssl',
    'passwd',
    'perl',
    'perl-base',
  ],
  ...['perl-modules-5.36', 'libperl5.36', 'libfile-find-rule-perl', 'libjson-perl', 'libnumber-compare-perl'],
  ...['libtext-glob-perl', 'postgresql-common', 'postgresql-client-common', 'sensible-utils', 'ssl-cert'],
  ...['sysvinit-utils', 'tar', 'ucf', 'usrmerge'],
];

/** All of the PostgreSQL image. */
export async function postgresRoot(root: string): Promise<RootContent> {
  const folder = path.join(root, 'manifests', 'components', 'postgres', 'image');
  return {
    packages: PACKAGES,
    without: WITHOUT,
    files: {
      'usr/local/bin/postgres-in-cluster': await readFile(path.join(folder, 'postgres-in-cluster'), 'utf8'),
      // initdb wants a name for its user.
      'etc/passwd': 'postgres:x:999:999::/var/lib/postgresql:/bin/sh\n',
      'etc/group': 'postgres:x:999:\n',
    },
  };
}
