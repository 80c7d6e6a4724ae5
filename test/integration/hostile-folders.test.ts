import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { createReadStream, linkSync, mkdirSync, symlinkSync, truncateSync, writeFileSync } from 'node:fs';
import { mkdir, mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import type { Readable } from 'node:stream';
import { buffer } from 'node:stream/consumers';
import { setImmediate as nextTurn } from 'node:timers/promises';
import { noLog } from '@gatehouse/lib/log.ts';
import { type Fragment, SbomError } from '@gatehouse/sbom';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { ZipFile } from 'yazl';
import { CatalogerProcess } from '../../agent/cataloger/cataloger-process.ts';
import { AgentError } from '../../agent/errors.ts';
import { runOk } from '../harness/process.ts';

const MIB = 1024 * 1024;
/**
 * What a layer may add to this process: the names of 500,000 entries, and garbage, which is collected late where there is
 * much memory. In a heap of 128 MB the same takes 275 MB in all.
 */
const MAX_GROWTH_BYTES = 512 * MIB;
/** Half a million files are made, archived and removed. */
const TIMEOUT_MS = 240_000;

let folder: string;
let layer: string;
let cataloger: CatalogerProcess;

beforeAll(() => {
  cataloger = new CatalogerProcess(noLog);
});
afterAll(() => cataloger?.[Symbol.asyncDispose]());
beforeEach(async () => {
  folder = await mkdtemp(path.join(tmpdir(), 'gatehouse-hostile-'));
  layer = path.join(folder, 'layer');
  await mkdir(layer);
});
afterEach(() => rm(folder, { recursive: true, force: true }));

function write(name: string, content: string | Buffer = '', mode = 0o644): void {
  mkdirSync(path.dirname(path.join(layer, name)), { recursive: true });
  writeFileSync(path.join(layer, name), content, { mode });
}

function link(name: string, target: string): void {
  mkdirSync(path.dirname(path.join(layer, name)), { recursive: true });
  symlinkSync(target, path.join(layer, name));
}

const PACKAGE = 'node_modules/ms/package.json';

/** The three ways in which the same layer comes to the agent. */
const ways = {
  'as an archive': async () => {
    const tar = path.join(folder, 'layer.tar');
    await runOk(['tar', '--sparse', '--format=posix', '-cf', tar, '-C', layer, '.']);
    const diffId = await sumOf(tar);
    const blob = { name: 'layer', open: () => createReadStream(tar) };
    return (await cataloger.catalogBlob(blob, { diffId })).fragment;
  },
  'as a folder': () => cataloger.catalogFolder({ layers: [layer], index: 0 }),
  "as a container's root": () => cataloger.catalogRoot(layer, {}),
} satisfies Record<string, () => Promise<Fragment>>;

async function sumOf(file: string): Promise<string> {
  const [hex = ''] = (await runOk(['sha256sum', file])).split(' ');
  return `sha256:${hex}`;
}

/** How a layer ended: the code of the error, or the problems that it was read with. */
async function endOf(read: () => Promise<Fragment>): Promise<readonly string[]> {
  try {
    const { problems, evidence } = await read();
    return [...problems.map(({ code }) => code), ...evidence.flatMap(({ problem }) => problem?.code ?? [])];
  } catch (error) {
    if (error instanceof SbomError || error instanceof AgentError) return [error.code];
    throw error;
  }
}

/** A zip of one file. */
async function zipOf(name: string, content: Buffer): Promise<Buffer> {
  const zip = new ZipFile();
  zip.addBuffer(content, name);
  zip.end();
  return buffer(zip.outputStream as unknown as Readable);
}

/** A Java archive in as many others. */
async function jarInJars(levels: number): Promise<Buffer> {
  let jar = await zipOf('META-INF/MANIFEST.MF', Buffer.from('Manifest-Version: 1.0\n'));
  for (let level = 0; level < levels; level++) jar = await zipOf(`level-${level}.jar`, jar);
  return jar;
}

/** What is in the layer, what may be said of it, and whatever else is to hold. */
const corpus: readonly { what: string; make: () => Promise<void> | void; end: readonly RegExp[] }[] = [
  {
    what: 'an archive of a file that unpacks to a thousand times its size',
    make: async () => write('bomb.jar', await zipOf('META-INF/MANIFEST.MF', Buffer.alloc(64 * MIB))),
    end: [/^evidence_/],
  },
  {
    what: 'archives in archives, many levels deep',
    make: async () => write('app.jar', await jarInJars(200)),
    end: [/^evidence_too_large$/],
  },
  {
    what: 'a file of 4 GB that is a hole',
    make: () => {
      write(PACKAGE, '{"name":"ms","version":"1.0.0"}');
      truncateSync(path.join(layer, PACKAGE), 4096 * MIB);
    },
    end: [/^evidence_(sparse|too_large)$/],
  },
  {
    what: 'names that are not UTF-8',
    make: () => mkdirSync(Buffer.concat([Buffer.from(`${layer}/`), Buffer.from([0x66, 0xff, 0xfe])])),
    end: [/^name_not_utf8$/],
  },
  {
    what: 'folders in folders, deeper than anything that is used',
    make: () => mkdirSync(path.join(layer, 'd/'.repeat(400)), { recursive: true }),
    end: [/^path_too_long$/],
  },
  {
    what: 'programs, archives and databases whose headers are wrong',
    make: () => {
      const elf = Buffer.concat([Buffer.from('\x7fELF\x02\x01\x01'), Buffer.alloc(200, 0xff)]);
      // Of no language that is known, so that nothing is missed.
      write('usr/bin/program', elf, 0o755);
      write('app.jar', `PK\x03\x04${'\xff'.repeat(100)}`);
      write('var/lib/rpm/rpmdb.sqlite', Buffer.from(`SQLite format 3\0${'\xff'.repeat(4096)}`, 'latin1'));
      write('var/lib/rpm/Packages', Buffer.alloc(8192, 0xee));
      write('var/lib/dpkg/status', Buffer.alloc(1000, 0xff));
    },
    end: [/^evidence_invalid$/, /^evidence_invalid$/, /^evidence_invalid$/],
  },
  {
    what: 'links in circles, out of the root, to /proc and to devices, and devices and FIFOs themselves',
    make: async () => {
      link('a', 'b');
      link('b', 'a');
      link('etc/os-release', '../a');
      link('lib', '/');
      link('node_modules', '../../../../../..');
      link('var/lib/dpkg/status', '/proc/self/environ');
      link('lib64/apk/db/installed', '/dev/zero');
      mkdirSync(path.join(layer, 'usr/lib'), { recursive: true });
      mkdirSync(path.join(layer, 'var/lib/rpm'), { recursive: true });
      await runOk(['mkfifo', path.join(layer, 'usr/lib/os-release')]);
      await runOk(['mknod', path.join(layer, 'var/lib/rpm/Packages'), 'c', '1', '5']);
    },
    end: [],
  },
  {
    what: 'more entries than any layer has',
    make: () => {
      const perFolder = 50_000;
      for (let n = 0; n < 510_000; n++) {
        const first = path.join(layer, `d${Math.floor(n / perFolder)}`, '0');
        if (n % perFolder === 0) {
          mkdirSync(path.dirname(first));
          writeFileSync(first, '');
        } else {
          linkSync(first, path.join(path.dirname(first), `${n}`));
        }
      }
    },
    end: [/^layer_too_large$/],
  },
];

describe.each(corpus)('a layer that was made to do harm, with $what,', ({ make, end }) => {
  it(
    'ends in a clear status whichever way it is read, and costs no other layer anything',
    async () => {
      const before = process.memoryUsage().rss;
      await make();
      for (const read of Object.values(ways)) {
        const codes = await endOf(read);
        expect(codes.toSorted()).toEqual(end.map((form) => expect.stringMatching(form)));
      }
      expect(process.memoryUsage().rss - before).toBeLessThan(MAX_GROWTH_BYTES);
      await rm(layer, { recursive: true });
      write(PACKAGE, '{"name":"ms","version":"1.0.0"}');
      for (const read of Object.values(ways)) expect((await read()).evidence).toHaveLength(1);
    },
    TIMEOUT_MS,
  );
});

describe("a container's root", () => {
  it('is left through no link that takes the place of a folder while it is read', async () => {
    write('srv/app/node_modules/ms/package.json', '{"name":"ms","version":"1.0.0"}');
    // What is listed first is read last, so that much can happen in between.
    for (let n = 0; n < 500; n++) mkdirSync(path.join(layer, 'srv', `other-${n}`));
    const outside = path.join(folder, 'outside');
    await mkdir(path.join(outside, 'node_modules', 'secret'), { recursive: true });
    writeFileSync(
      path.join(outside, 'node_modules/secret/package.json'),
      '{"name":"secret","version":"1.0.0"}',
    );
    await using swapping = swap(path.join(layer, 'srv'), outside);
    const seen = new Set<string>();
    while ((await swapping.count()) < 200) {
      const { files, symlinks, evidence } = await cataloger.catalogRoot(layer, {});
      for (const name of [...files, ...evidence.map((each) => each.path)]) seen.add(name);
      for (const { path: name } of symlinks) seen.add(name);
      await nextTurn();
    }
    expect([...seen].filter((name) => name.includes('secret'))).toEqual([]);
    expect(seen).toContain('srv/app/node_modules/ms/package.json');
  });

  it('has nothing of what is mounted into it', async () => {
    write('etc/os-release', 'ID=debian\n');
    mkdirSync(path.join(layer, 'volume'));
    await runOk(['mount', '-t', 'tmpfs', 'volume', path.join(layer, 'volume')]);
    try {
      write('volume/node_modules/ms/package.json', '{"name":"ms","version":"1.0.0"}');
      const { files, emptyFolders } = await cataloger.catalogRoot(layer, {});
      expect({ files, emptyFolders }).toEqual({ files: ['etc/os-release'], emptyFolders: ['volume'] });
    } finally {
      await runOk(['umount', path.join(layer, 'volume')]);
    }
  });
});

/** A process that puts a link to `outside` in the place of `app` in a folder, and that back, over and over. */
function swap(parent: string, outside: string): AsyncDisposable & { count(): Promise<number> } {
  const script = `cd "$1"; n=0; while :; do mv -T app .app; ln -s "$2" app; rm app; mv -T .app app; n=$((n+1)); echo $n >"$2/count"; done`;
  const child = spawn('sh', ['-c', script, 'sh', parent, outside], { stdio: 'ignore' });
  const ended = once(child, 'exit');
  return {
    async count() {
      return Number(await readFile(path.join(outside, 'count'), 'utf8').catch(() => '0'));
    },
    async [Symbol.asyncDispose]() {
      child.kill('SIGKILL');
      await ended;
    },
  };
}
