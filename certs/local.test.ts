import { mkdtempDisposable, readFile, stat, writeFile } from 'node:fs/promises';
import { createServer, get } from 'node:https';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { noLog } from '@gatehouse/lib/log.ts';
import { describe, expect, it } from 'vitest';
import { ensureLocalCertificates } from './local.ts';

const temporaryFolder = () => mkdtempDisposable(join(tmpdir(), 'gatehouse-certs-'));
const ensure = (folder: string, names = ['localhost', '127.0.0.1']) =>
  ensureLocalCertificates(join(folder, 'tls'), names, noLog);

async function certAfterRestart(folder: string, names?: string[]): Promise<string> {
  await using local = await ensure(folder, names);
  return local.current().cert;
}

describe('certificates of one machine', () => {
  it('serve clients that trust the bundle in the folder', async () => {
    await using folder = await temporaryFolder();
    await using local = await ensure(folder.path);
    const server = createServer(local.current(), (_, response) => response.end('hello'));
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    const { port } = server.address() as AddressInfo;
    const ca = await readFile(local.bundleFile, 'utf8');
    const status = await new Promise((resolve, reject) => {
      get({ host: '127.0.0.1', port, ca, agent: false }, (response) => {
        response.resume();
        resolve(response.statusCode);
      }).on('error', reject);
    });
    await new Promise((resolve) => server.close(resolve));
    expect(status).toBe(200);
  });

  it('are the same after a restart', async () => {
    await using folder = await temporaryFolder();
    expect(await certAfterRestart(folder.path)).toBe(await certAfterRestart(folder.path));
  });

  it('carry new names right after the restart that brings them', async () => {
    await using folder = await temporaryFolder();
    const before = await certAfterRestart(folder.path);
    await using local = await ensure(folder.path, ['localhost', '127.0.0.1', 'gatehouse.example']);
    expect(local.current().cert).not.toBe(before);
    expect(local.current().expiresAt.leaf).toEqual(local.current().expiresAt.authority);
  });

  it('are made anew if somebody spoilt the folder', async () => {
    await using folder = await temporaryFolder();
    const before = await certAfterRestart(folder.path);
    await writeFile(join(folder.path, 'tls', 'tls.key'), 'spoilt');
    expect(await certAfterRestart(folder.path)).not.toBe(before);
  });

  it('are for their owner only', async () => {
    await using folder = await temporaryFolder();
    await using local = await ensure(folder.path);
    const modeOf = async (path: string) => ((await stat(path)).mode & 0o777).toString(8);
    expect(await modeOf(join(folder.path, 'tls'))).toBe('700');
    expect(await modeOf(join(folder.path, 'tls', 'tls.key'))).toBe('600');
    expect(await modeOf(local.bundleFile)).toBe('600');
  });

  it('are refused with a reason where the folder cannot be written', async () => {
    await using folder = await temporaryFolder();
    await writeFile(join(folder.path, 'tls'), 'a file');
    await expect(ensure(folder.path)).rejects.toMatchObject({ code: 'file_unreadable' });
  });
});
