import { execFileSync } from 'node:child_process';
import {
  closeSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  renameSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { LiveFolder, OwnFolder } from './live-folder.ts';

let folder: string;
let root: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'host-'));
  root = join(folder, 'root');
  mkdirSync(join(root, 'a', 'b'), { recursive: true });
  writeFileSync(join(root, 'a', 'b', 'file'), 'inside');
  mkdirSync(join(folder, 'outside', 'b'), { recursive: true });
  writeFileSync(join(folder, 'outside', 'b', 'file'), 'outside');
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

const list = (host: string): string[] => readdirSync(host);

function contentOf(live: LiveFolder, path: string): string | undefined {
  const descriptor = live.open(path);
  if (descriptor === undefined) return undefined;
  try {
    return readFileSync(descriptor, 'utf8');
  } finally {
    closeSync(descriptor);
  }
}

/** What this process has open there; it opens and closes other things meanwhile, such as the list itself. */
function openBelow(folder: string): readonly string[] {
  const places = readdirSync('/proc/self/fd').map((each) => {
    try {
      return readlinkSync(`/proc/self/fd/${each}`);
    } catch {
      return '';
    }
  });
  return places.filter((place) => place.startsWith(folder));
}

describe('the root of a running container', () => {
  it('shows its folders and files', () => {
    const live = new LiveFolder(root);
    expect(live.within('', list)).toEqual(['a']);
    expect(live.within('a/b', list)).toEqual(['file']);
    expect(contentOf(live, 'a/b/file')).toBe('inside');
  });

  it.each([
    ['to the folder', 'a/b'],
    ['to a folder above it', 'a'],
  ])('ends at a link %s, wherever that leads', (_where, path) => {
    const live = new LiveFolder(root);
    renameSync(join(root, path), join(folder, 'moved'));
    symlinkSync(join(folder, 'outside', path.slice(2)), join(root, path));
    expect(live.within('a/b', list)).toBeUndefined();
    expect(live.open('a/b/file')).toBeUndefined();
    rmSync(join(root, path));
    symlinkSync('../moved', join(root, path));
    expect(live.within('a/b', list)).toBeUndefined();
  });

  it('is read through the folder that was opened, whatever takes its place then', () => {
    const live = new LiveFolder(root);
    const read = live.within('a/b', (host) => {
      renameSync(join(root, 'a'), join(folder, 'moved'));
      symlinkSync(join(folder, 'outside'), join(root, 'a'));
      return readFileSync(`${host}/file`, 'utf8');
    });
    expect(read).toBe('inside');
  });

  it('has what is gone as not there, and nothing but regular files as files', () => {
    const live = new LiveFolder(root);
    execFileSync('mkfifo', [join(root, 'fifo')]);
    symlinkSync('a/b/file', join(root, 'link'));
    for (const path of ['gone', 'a/gone', 'gone/file', 'fifo', 'link', 'a', 'a/b/file/below']) {
      expect(live.open(path)).toBeUndefined();
    }
    expect(live.within('gone', list)).toBeUndefined();
    expect(live.within('a/b/file', list)).toBeUndefined();
  });

  it('tells that it was taken away', () => {
    const live = new LiveFolder(root);
    live.mustBeThere();
    renameSync(root, join(folder, 'old'));
    expect(() => live.mustBeThere()).toThrow(expect.objectContaining({ code: 'layer_unreadable' }));
    mkdirSync(root);
    expect(() => live.mustBeThere()).toThrow('the container ended while its root');
  });

  it('holds nothing open, for the runtime could not take the root away then', () => {
    const live = new LiveFolder(root);
    live.within('a/b', list);
    contentOf(live, 'a/b/file');
    expect(() =>
      live.within('a', () => {
        throw new Error('stop');
      }),
    ).toThrow('stop');
    expect(live.within('a', () => openBelow(folder))).toEqual([join(root, 'a')]);
    expect(openBelow(folder)).toEqual([]);
  });
});

describe("a folder of one's own", () => {
  it('is read without what is gone, of which nothing is said', () => {
    const own = new OwnFolder(root);
    expect(own.within('a', list)).toEqual(['b']);
    rmSync(join(root, 'a'), { recursive: true });
    expect(own.within('a', list)).toBeUndefined();
    expect(own.open('a/b/file')).toBeUndefined();
    expect(own.leftOut).toEqual([]);
  });

  it('is read without what is mounted in it, which is said', () => {
    const own = new OwnFolder('/');
    expect(own.within('proc', list)).toBeUndefined();
    expect(own.leftOut).toEqual([{ path: 'proc', code: 'mounted' }]);
  });

  it('is read without what the system refuses, which is said for the very file or folder', () => {
    const own = new OwnFolder(root);
    const refuse = (): never => {
      throw Object.assign(new Error('refused'), { code: 'EACCES' });
    };
    expect(own.within('a', refuse)).toBeUndefined();
    expect(own.leftOut).toEqual([{ path: 'a', code: 'not_permitted' }]);
  });
});
