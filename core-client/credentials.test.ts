import { mkdir, mkdtempDisposable, rename, rm, symlink, utimes, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { renewedFile } from './credentials.ts';

const temporaryFolder = () => mkdtempDisposable(join(tmpdir(), 'gatehouse-credentials-'));

describe('a file that is renewed', () => {
  it('is given without the line end that editors and shells add', async () => {
    await using folder = await temporaryFolder();
    const path = join(folder.path, 'token');
    await writeFile(path, 'ey.J.x\n');
    expect(await renewedFile(path)()).toBe('ey.J.x');
  });

  it('is read again when it was written in place', async () => {
    await using folder = await temporaryFolder();
    const path = join(folder.path, 'token');
    const token = renewedFile(path);
    await writeFile(path, 'one');
    expect(await token()).toBe('one');
    await writeFile(path, 'longer');
    expect(await token()).toBe('longer');
  });

  it('is read again when the link to its folder is swapped, as the kubelet does', async () => {
    await using folder = await temporaryFolder();
    const at = (...names: string[]): string => join(folder.path, ...names);
    const moment = new Date();
    for (const name of ['one', 'two']) {
      await mkdir(at(name));
      await writeFile(at(name, 'token'), name);
      await utimes(at(name, 'token'), moment, moment);
    }
    await symlink('one', at('..data'));
    await symlink(join('..data', 'token'), at('token'));
    const token = renewedFile(at('token'));
    expect(await token()).toBe('one');
    await symlink('two', at('..data_tmp'));
    await rename(at('..data_tmp'), at('..data'));
    expect(await token()).toBe('two');
  });

  it('is not read again while it stays as it is', async () => {
    await using folder = await temporaryFolder();
    const path = join(folder.path, 'token');
    const moment = new Date(0);
    const token = renewedFile(path);
    for (const content of ['one', 'two']) {
      await writeFile(path, content);
      await utimes(path, moment, moment);
      expect(await token()).toBe('one');
    }
  });

  it('is an error while it is not there, and only then', async () => {
    await using folder = await temporaryFolder();
    const path = join(folder.path, 'token');
    const token = renewedFile(path);
    await expect(token()).rejects.toMatchObject({ code: 'credentials_unreadable' });
    await writeFile(path, 'one');
    expect(await token()).toBe('one');
    await rm(path);
    await expect(token()).rejects.toMatchObject({
      code: 'credentials_unreadable',
      message: `cannot read ${path}`,
    });
  });
});
