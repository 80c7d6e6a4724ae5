import { mkdir, mkdtempDisposable, rename, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { noLog } from '@gatehouse/lib/log.ts';
import { beforeAll, describe, expect, it } from 'vitest';
import { issueGeneration } from './authority.ts';
import { fileCertificate } from './file-certificate.ts';
import type { Generation } from './material.ts';
import { parseServingNames } from './names.ts';
import type { ServedCertificate, ServingCertificate } from './serving.ts';

let one: Generation;
let other: Generation;

beforeAll(async () => {
  const issue = () =>
    issueGeneration(parseServingNames(['localhost']), { now: new Date(), lifetime: 60_000 });
  [one, other] = await Promise.all([issue(), issue()]);
});

async function writePair(folder: string, { leaf, key }: Generation): Promise<void> {
  await mkdir(folder, { recursive: true });
  await writeFile(join(folder, 'tls.crt'), leaf.toString());
  await writeFile(join(folder, 'tls.key'), key);
}

function nextChange(serving: ServingCertificate): Promise<ServedCertificate> {
  return new Promise((resolve) => serving.onChange(resolve));
}

const temporaryFolder = () => mkdtempDisposable(join(tmpdir(), 'gatehouse-certs-'));
const load = (folder: string) => fileCertificate(join(folder, 'tls.crt'), join(folder, 'tls.key'), noLog);

describe('a certificate in files', () => {
  it('is read anew when the files are written in place', async () => {
    await using folder = await temporaryFolder();
    await writePair(folder.path, one);
    await using serving = await load(folder.path);
    expect(serving.current().cert).toBe(one.leaf.toString());
    const changed = nextChange(serving);
    await writePair(folder.path, other);
    expect((await changed).key).toBe(other.key);
  });

  it('is read anew when the link to their folder is swapped, as the kubelet does', async () => {
    await using folder = await temporaryFolder();
    const at = (name: string): string => join(folder.path, name);
    await writePair(at('..2030_01'), one);
    await symlink('..2030_01', at('..data'));
    for (const name of ['tls.crt', 'tls.key']) await symlink(join('..data', name), at(name));
    await using serving = await load(folder.path);
    const changed = nextChange(serving);
    await writePair(at('..2030_02'), other);
    await symlink('..2030_02', at('..data_tmp'));
    await rename(at('..data_tmp'), at('..data'));
    await rm(at('..2030_01'), { recursive: true });
    expect((await changed).cert).toBe(other.leaf.toString());
  });

  it('outlives files that are gone or of two minds', async () => {
    await using folder = await temporaryFolder();
    await writePair(folder.path, one);
    await using serving = await load(folder.path);
    await rm(join(folder.path, 'tls.crt'));
    await writeFile(join(folder.path, 'tls.key'), other.key);
    const changed = nextChange(serving);
    expect(serving.current().key).toBe(one.key);
    await writePair(folder.path, other);
    expect((await changed).cert).toBe(other.leaf.toString());
  });

  it('must be there and good at the start', async () => {
    await using folder = await temporaryFolder();
    await expect(load(folder.path)).rejects.toMatchObject({ code: 'file_unreadable' });
    await writePair(folder.path, { ...one, key: other.key });
    await expect(load(folder.path)).rejects.toMatchObject({ code: 'certificate_mismatch' });
    await writeFile(join(folder.path, 'tls.crt'), 'no certificate');
    await expect(load(folder.path)).rejects.toMatchObject({
      code: 'certificate_unreadable',
      message: expect.stringContaining(join(folder.path, 'tls.crt')),
    });
  });
});
