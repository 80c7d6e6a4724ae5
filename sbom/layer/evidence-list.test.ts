import { describe, expect, it } from 'vitest';
import { dpkg } from '../catalogers/dpkg.ts';
import { dpkgFiles } from '../catalogers/dpkg-files.ts';
import { executable } from '../catalogers/executable.ts';
import { npm } from '../catalogers/npm.ts';
import { fileOf } from '../testing/files.ts';
import { EvidenceList } from './evidence-list.ts';

const manifest = { packages: [{ type: 'npm', name: 'ms', version: '1.0.0' }] } as const;

function listOf(owned: string, ...paths: readonly string[]) {
  const list = new EvidenceList();
  for (const path of paths) list.push(path, npm, manifest);
  const findings = dpkgFiles.catalog(fileOf(owned));
  if (findings) list.push('var/lib/dpkg/info/node-ms.list', dpkgFiles, findings);
  return list.toSorted();
}

describe('what is found in a layer', () => {
  it('says which files a package manager of the system has put there', () => {
    const owned = 'usr/share/nodejs/node_modules/ms/package.json';
    const found = listOf(`/.\n/usr\n/${owned}\n`, owned, 'srv/node_modules/ms/package.json');
    expect(found).toEqual([
      { path: 'srv/node_modules/ms/package.json', cataloger: 'npm', ...manifest },
      { path: owned, cataloger: 'npm', ...manifest, owned: true },
    ]);
  });

  it('takes the names of folders that were merged into /usr for the same', () => {
    const path = 'usr/lib/x/node_modules/ms/package.json';
    expect(listOf('/lib/x/node_modules/ms/package.json\n', path)).toMatchObject([{ path, owned: true }]);
  });

  it('says which package a file is of, and of two that name it always the same one', () => {
    const lists = ['libb:amd64.list', 'liba:amd64.list'].map((name) =>
      dpkgFiles.catalog(fileOf('/lib/x.so\n', name)),
    );
    for (const order of [lists, lists.toReversed()]) {
      const list = new EvidenceList();
      for (const each of order) if (each) list.push('var/lib/dpkg/info/x.list', dpkgFiles, each);
      expect(list.ownerOf('usr/lib/x.so')).toEqual({ type: 'deb', name: 'liba', arch: 'amd64' });
      expect(list.ownerOf('usr/lib/y.so')).toBeUndefined();
    }
  });

  it('leaves to the system what only the texts of its own programs say', () => {
    const list = new EvidenceList();
    const node = { type: 'generic', name: 'node', version: '24.1.0' } as const;
    const crate = { type: 'cargo', name: 'a', version: '1.0.0' } as const;
    list.push('usr/bin/node', executable, { packages: [node] });
    list.push('usr/bin/tool', executable, { packages: [crate, node] });
    list.push('usr/local/bin/node', executable, { packages: [node] });
    const findings = dpkgFiles.catalog(fileOf('/usr/bin/node\n/usr/bin/tool\n'));
    if (findings) list.push('var/lib/dpkg/info/node.list', dpkgFiles, findings);
    expect(list.toSorted()).toEqual([
      { path: 'usr/bin/tool', cataloger: 'executable', packages: [crate], owned: true },
      { path: 'usr/local/bin/node', cataloger: 'executable', packages: [node] },
    ]);
  });

  it('keeps evidence that names nothing, for it hides that of lower layers', () => {
    const list = new EvidenceList();
    list.push('var/lib/dpkg/status', dpkg, { packages: [] });
    expect(list.toSorted()).toHaveLength(1);
  });
});
