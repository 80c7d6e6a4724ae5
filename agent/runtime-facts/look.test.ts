import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { ProcNode } from '../testing/proc.ts';
import { lookAtContainer } from './look.ts';
import { processesByMounts } from './processes.ts';
import { WrittenPrograms } from './programs.ts';

let node: ProcNode;
const written = new WrittenPrograms();
beforeEach(async () => {
  node = await ProcNode.make();
});
afterEach(() => node[Symbol.asyncDispose]());

/** What is seen of the container that began with process 7. */
async function look(storage?: readonly string[]) {
  const pids = (await processesByMounts(`${node.root}/proc`)).get('mnt:[2]') ?? [];
  const sight = await lookAtContainer(
    { node: node.root, pid: 7, ...(storage && { storage }) },
    pids,
    written,
  );
  return (
    sight && {
      loaded: [...sight.loaded].sort(),
      drift: sight.drift.map(({ kind, path }) => `${kind} ${path}`),
    }
  );
}

describe('a look at a container', () => {
  it('finds the programs and libraries of all its processes, and of no other', async () => {
    await node.run(7, { exe: '/usr/bin/a', maps: ['/usr/bin/a', '/usr/lib/libc.so.6', '[vdso]'] });
    await node.run(8, { exe: '/usr/bin/b', maps: ['/usr/lib/libz.so.1'] });
    await node.run(9, { exe: '/usr/bin/other', mounts: 'mnt:[3]' });
    expect(await look()).toEqual({
      loaded: ['usr/bin/a', 'usr/bin/b', 'usr/lib/libc.so.6', 'usr/lib/libz.so.1'],
      drift: [],
    });
  });

  it('finds the archives that Java has open, and those of nobody else', async () => {
    const open = ['/srv/app.jar', '/srv/web.war', '/srv/notes.txt', 'socket:[1]', '/tmp/x.jar (deleted)'];
    await node.run(7, { exe: '/opt/jdk/bin/java', open });
    await node.run(8, { exe: '/usr/bin/less', open: ['/srv/other.jar'] });
    expect((await look())?.loaded).toEqual([
      'opt/jdk/bin/java',
      'srv/app.jar',
      'srv/web.war',
      'usr/bin/less',
    ]);
  });

  it('takes nothing on a mount for a file of the image', async () => {
    await node.run(7, { exe: '/usr/bin/a', maps: ['/data/plugin.so', '/usr/lib/x.so'], mounted: ['/data'] });
    expect(await look()).toEqual({ loaded: ['usr/bin/a', 'usr/lib/x.so'], drift: [] });
  });

  it.each([
    ['/data/tool', 'mounted /data/tool'],
    ['/memfd:x (deleted)', 'memory /memfd:x'],
    ['/usr/bin/gone (deleted)', 'deleted /usr/bin/gone'],
    ['/data/a\nb\u001b[2J', 'mounted /data/a?b?[2J'],
    [`/data/${'x'.repeat(2_000)}`, `mounted /data/${'x'.repeat(1_018)}`],
  ])('tells of the program %j as %j', async (exe, expected) => {
    await node.run(7, { exe, mounted: ['/data'] });
    expect(await look()).toEqual({ loaded: [], drift: [expected] });
  });

  it('believes a runtime that does not say how it runs containers only where the root is of its storage', async () => {
    await node.run(7, { exe: '/usr/bin/qemu' });
    expect(await look(['/elsewhere', '/snap'])).toBeUndefined();
    expect(await look(['/elsewhere', '/snapshots'])).toMatchObject({ loaded: ['usr/bin/qemu'] });
  });

  it('sees nothing of a container whose processes see what the node itself sees, or none', async () => {
    expect(await look()).toBeUndefined();
    await node.run(7, { exe: '/usr/bin/qemu', mounts: 'node' });
    expect(await look()).toBeUndefined();
  });
});
