import { appendFile, mkdir, rm, symlink } from 'node:fs/promises';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { ProcNode } from '../testing/proc.ts';
import { WrittenPrograms } from './programs.ts';

let node: ProcNode;
let programs: WrittenPrograms;
beforeEach(async () => {
  node = await ProcNode.make();
  programs = new WrittenPrograms();
});
afterEach(() => node[Symbol.asyncDispose]());

/** The link in /proc leads to the very file that runs. */
function isWritten(path: string, exe = node.place('upper', path)): Promise<boolean> {
  const root = { upper: '/snapshots/upper/fs', lowers: ['/snapshots/lower/fs'] };
  return programs.isWritten(root, { node: node.root, path, exe });
}

describe('a program of a container', () => {
  it('was written there if the image has none of its path', async () => {
    await node.write('upper', '/usr/bin/a', 'new');
    expect(await isWritten('/usr/bin/a')).toBe(true);
  });

  it.each([
    ['of one size', 'axx'],
    ['longer', 'aaaa'],
    ['much longer', 'a'.repeat(600_000)],
  ])('was written there if it has other content than that of the image: %s', async (_what, content) => {
    await node.write('lower', '/usr/bin/a', 'aaa');
    await node.write('upper', '/usr/bin/a', content);
    expect(await isWritten('/usr/bin/a')).toBe(true);
  });

  it('differs also where only the end does, far behind', async () => {
    await node.write('lower', '/usr/bin/a', `${'a'.repeat(600_000)}b`);
    await node.write('upper', '/usr/bin/a', `${'a'.repeat(600_000)}c`);
    expect(await isWritten('/usr/bin/a')).toBe(true);
  });

  it('is of the image if only its owner or its rights were changed, until it is written to', async () => {
    for (const layer of ['lower', 'upper'] as const)
      await node.write(layer, '/usr/bin/a', 'a'.repeat(600_000));
    expect(await isWritten('/usr/bin/a')).toBe(false);
    expect(await isWritten('/usr/bin/a')).toBe(false);
    await appendFile(node.place('upper', '/usr/bin/a'), 'b');
    expect(await isWritten('/usr/bin/a')).toBe(true);
  });

  it('is of the image if the container has nothing of its own there', async () => {
    await node.write('lower', '/usr/bin/a', 'a');
    expect(await isWritten('/usr/bin/a', node.place('lower', '/usr/bin/a'))).toBe(false);
  });

  it('counts as written if it has ended before it could be compared', async () => {
    for (const layer of ['lower', 'upper'] as const) await node.write(layer, '/usr/bin/a', 'a');
    expect(await isWritten('/usr/bin/a', `${node.root}/proc/7/exe`)).toBe(true);
  });

  it('is compared with nothing that a link leads to, in whichever folder', async () => {
    await node.write('upper', '/usr/bin/a', 'a');
    await mkdir(node.place('lower', ''), { recursive: true });
    await symlink(node.place('upper', '/usr'), node.place('lower', '/usr'));
    expect(await isWritten('/usr/bin/a')).toBe(true);
    await rm(node.place('upper', '/usr'), { recursive: true });
    await node.write('upper', '/elsewhere/bin/a', 'a');
    await symlink(node.place('upper', '/elsewhere'), node.place('upper', '/usr'));
    expect(await isWritten('/usr/bin/a')).toBe(false);
  });
});
