import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { Mounts } from './mounts.ts';

const SNAPSHOTS = '/var/lib/containerd/io.containerd.snapshotter.v1.overlayfs/snapshots';
const overlay = (options: string): string => `1 0 0:70 / / rw,relatime master:9 - overlay overlay ${options}`;
const mount = (point: string, type = 'tmpfs'): string =>
  `2 1 0:71 / ${point} rw,nosuid - ${type} ${type} rw,size=64k`;
/** As the kernel writes it (mangle in fs/seq_file.c). */
const mangle = (text: string): string =>
  text.replace(/[ \t\n\\]/g, (char) => `\\${char.charCodeAt(0).toString(8).padStart(3, '0')}`);

describe('what is mounted in a container', () => {
  it('tells what lies on its own root from what is mounted over it', () => {
    const mounts = new Mounts(
      [overlay('rw'), mount('/proc', 'proc'), mount('/data'), mount('/etc/hosts', 'ext4')].join('\n'),
    );
    const of = (path: string): boolean => mounts.isMounted(path);
    expect(['/data/x', '/data', '/etc/hosts', '/proc/1/exe'].map(of)).toEqual([true, true, true, true]);
    expect(['/database', '/etc/host', '/usr/bin/x', '/'].map(of)).toEqual([false, false, false, false]);
  });

  it('knows mount points by their real names, whatever is in them', () => {
    const name = fc.string({
      unit: fc.constantFrom('a', 'é', ' ', '\t', '\n', '\\', '-', ','),
      minLength: 1,
    });
    fc.assert(
      fc.property(fc.array(name, { minLength: 1, maxLength: 3 }), (names) => {
        const point = `/${names.join('/')}`;
        const mounts = new Mounts(`${overlay('rw')}\n${mount(mangle(point))}\n`);
        expect(mounts.isMounted(`${point}/x`)).toBe(true);
        expect(mounts.isMounted('/usr/bin/x')).toBe(false);
      }),
    );
  });

  it.each([
    [
      'whole',
      `lowerdir=${SNAPSHOTS}/2/fs:${SNAPSHOTS}/1/fs,upperdir=${SNAPSHOTS}/3/fs,workdir=${SNAPSHOTS}/3/work`,
    ],
    ['short', `lowerdir=2/fs:1/fs,upperdir=${SNAPSHOTS}/3/fs,workdir=${SNAPSHOTS}/3/work,index=off`],
    ['single', `lowerdir+=${SNAPSHOTS}/2/fs,lowerdir+=${SNAPSHOTS}/1/fs,upperdir=${SNAPSHOTS}/3/fs`],
  ])('names the folders that its root is made of: %s', (_what, options) => {
    expect(new Mounts(overlay(`rw,${options}`)).root).toEqual({
      upper: `${SNAPSHOTS}/3/fs`,
      lowers: [`${SNAPSHOTS}/2/fs`, `${SNAPSHOTS}/1/fs`],
    });
  });

  it.each([
    ['a plain folder', '1 0 8:1 /x / rw - ext4 /dev/sda1 rw'],
    ['an overlay that cannot be written', overlay('ro,lowerdir=/a:/b')],
    ['an overlay that is named from a folder unknown', overlay('rw,lowerdir=l/A,upperdir=x/diff')],
    ['nothing', ''],
  ])('names none where the root is %s', (_what, text) => {
    expect(new Mounts(text).root).toBeUndefined();
  });

  it('is read from whatever text without a fault', () => {
    fc.assert(fc.property(fc.string({ unit: 'binary' }), (text) => void new Mounts(text).isMounted('/a')));
  });
});
