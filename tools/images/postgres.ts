import { readFile } from 'node:fs/promises';
import path from 'node:path';

/** What the PostgreSQL image has besides its packages; its Containerfile has the same. */
export async function postgresFiles(root: string): Promise<Readonly<Record<string, string>>> {
  const folder = path.join(root, 'manifests', 'components', 'postgres', 'image');
  return {
    'usr/local/bin/postgres-in-cluster': await readFile(path.join(folder, 'postgres-in-cluster'), 'utf8'),
    // initdb wants a name for its user.
    'etc/passwd': 'postgres:x:999:999::/var/lib/postgresql:/bin/sh\n',
    'etc/group': 'postgres:x:999:\n',
  };
}
