import { describe, expect, it } from 'vitest';
import { headerOf, rpmHeader, textEntry } from '../testing/rpm-headers.ts';
import { RpmHeader } from './rpm-header.ts';

const bash = { name: 'bash', version: '5.1.8', release: '6.el9', arch: 'x86_64' };

describe('a header of RPM', () => {
  it('has texts and numbers, and what it lacks is undefined', () => {
    const header = new RpmHeader(rpmHeader({ ...bash, epoch: 4_000_000_000 }));
    expect(header.text('name')).toBe('bash');
    expect(header.text('module')).toBeUndefined();
    expect(header.epoch).toBe(4_000_000_000);
  });

  it('has the files that are there, with their folders', () => {
    const files = ['/usr/bin/bash', '/usr/share/doc/bash/README', '/usr/bin/sh', '/etc'];
    const header = new RpmHeader(rpmHeader({ ...bash, files, states: [0, 2, 1, 0] }));
    expect([...header.files()]).toEqual([
      ['/usr/bin/', 'bash'],
      ['/', 'etc'],
    ]);
    expect([...new RpmHeader(rpmHeader({ ...bash, files })).files()]).toHaveLength(4);
    expect([...new RpmHeader(rpmHeader(bash)).files()]).toEqual([]);
  });

  it('says last what was changed at the installation', () => {
    const blob = headerOf([...textEntry(1000, 'before'), ...textEntry(1000, 'after')]);
    expect(new RpmHeader(blob).text('name')).toBe('after');
  });

  it.each([
    ['cut off', Buffer.alloc(7)],
    ['of more entries than there are', Buffer.from('ffffffff00000000', 'hex')],
    ['of more data than there are', Buffer.from('00000000ffffffff', 'hex')],
  ])('is refused if it is %s', (_what, blob) => {
    expect(() => new RpmHeader(blob)).toThrow('cut off');
  });

  it.each([
    ['is of another type', [1000, 4, 0, 1], 'another type'],
    ['lies outside of the data', [1000, 6, 8, 1], 'outside'],
    ['is counted beyond all sense', [1000, 6, 0, 0xffffffff], 'outside'],
  ])('has no value that %s', (_what, entry, message) => {
    const blob = headerOf(textEntry(1000, 'abc'));
    for (const [field, value] of entry.entries()) blob.writeUInt32BE(value, 8 + 4 * field);
    expect(() => new RpmHeader(blob).text('name')).toThrow(message);
  });

  it('has no text without an end', () => {
    const blob = headerOf([{ tag: 1000, type: 6, count: 1, data: Buffer.from('abcd') }]);
    expect(() => new RpmHeader(blob).text('name')).toThrow('no end');
  });

  it('has no file without a folder', () => {
    const blob = rpmHeader({ ...bash, files: ['/usr/bin/bash'] });
    const indexes = blob.indexOf(Buffer.from([0, 0, 0x04, 0x5c]));
    blob.writeUInt32BE(0, indexes + 12);
    expect(() => [...new RpmHeader(blob).files()]).toThrow('no folder');
  });
});
