import { execFileSync } from 'node:child_process';
import {
  chmodSync,
  copyFileSync,
  createReadStream,
  mkdirSync,
  mkdtempSync,
  realpathSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import { deflateSync } from 'node:zlib';
import { catalogBlob, catalogFolder, encodeFragment, fold } from '@gatehouse/sbom';
import { afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { need } from '../harness/tools.ts';

let tools: Awaited<
  ReturnType<typeof need<'busybox' | 'curl' | 'objcopy' | 'openssl' | 'pip' | 'postgres-15'>>
>;
beforeAll(async () => {
  tools = await need('busybox', 'curl', 'objcopy', 'openssl', 'pip', 'postgres-15');
});

let root: string;
beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), 'packages-programs-'));
  mkdirSync(join(root, 'opt'));
});
afterEach(() => rmSync(root, { recursive: true, force: true }));

/** A copy of a program of this machine, under its own name, where no package manager has put it. */
function copyIn(program: string): string {
  const file = realpathSync(program);
  const copy = join(root, 'opt', basename(file));
  copyFileSync(file, copy);
  chmodSync(copy, 0o755);
  return copy;
}

/** What is found in the folder, which is the same as in an archive of it. */
async function packagesFound(): Promise<readonly string[]> {
  const archive = `${root}.tar`;
  try {
    const fromFolder = await catalogFolder({ layers: [root], index: 0 });
    execFileSync('tar', ['--create', '--file', archive, '--directory', root, 'opt']);
    const blob = { name: 'layer', open: () => createReadStream(archive) };
    const { fragment } = await catalogBlob(blob);
    expect(await encodeFragment({ ...fromFolder, opacity: 'exact' })).toEqual(await encodeFragment(fragment));
    const { packages, problems } = fold([fragment]);
    expect(problems).toEqual([]);
    return packages.map(({ type, name, version }) => `${type} ${name} ${version}`);
  } finally {
    rmSync(archive, { force: true });
  }
}

describe('well-known programs', () => {
  /** The package, its program, and what says the version. */
  const programs: readonly [string, () => string, readonly string[], RegExp][] = [
    ['node', () => process.execPath, ['--version'], /^v(.*)/],
    ['openssl', () => tools.openssl, ['version'], /^OpenSSL (\S+)/],
    ['bash', () => '/bin/bash', ['--version'], /version (\d+\.\d+\.\d+)/],
    ['perl', () => '/usr/bin/perl', ['--version'], /\(v(5\.\d+\.\d+)\)/],
    ['python', () => '/usr/bin/python3', ['--version'], /^Python (\S+)/],
    ['busybox', () => tools.busybox, ['--help'], /^BusyBox v(\S+)/],
    ['curl', () => tools.curl, ['--version'], /^curl (\S+)/],
    ['postgresql', () => tools['postgres-15'], ['--version'], /\(PostgreSQL\) (\S+)/],
  ];

  it.each(programs)('are of the version that they say themselves: %s', async (name, find, args, pattern) => {
    const program = find();
    const said = pattern.exec(execFileSync(program, args).toString())?.[1];
    copyIn(program);
    expect(await packagesFound()).toEqual([`generic ${name} ${said}`]);
  });

  it('are told by the libraries that they share, too', async () => {
    const said = /^OpenSSL (\S+)/.exec(execFileSync(tools.openssl, ['version']).toString())?.[1];
    const library = /\S+\/libcrypto\.so\S*/.exec(execFileSync('ldd', [tools.openssl]).toString())?.[0] ?? '';
    chmodSync(copyIn(library), 0o644);
    expect(await packagesFound()).toEqual([`generic openssl ${said}`]);
  });
});

describe('Rust programs', () => {
  it('name their crates in a section that binutils put into a real program', async () => {
    const list = {
      packages: [
        { name: 'serde', version: '1.0.190', source: 'crates.io' },
        { name: 'cc', version: '1.0.83', source: 'crates.io', kind: 'build' },
        { name: 'tool', version: '0.3.0', source: 'local', dependencies: [0], root: true },
      ],
    };
    const section = join(root, 'list');
    writeFileSync(section, deflateSync(JSON.stringify(list)));
    const program = join(root, 'opt', 'tool');
    execFileSync(tools.objcopy, ['--add-section', `.dep-v0=${section}`, tools.busybox, program]);
    rmSync(section);
    expect(await packagesFound()).toEqual(['cargo serde 1.0.190', 'cargo tool 0.3.0']);
  });
});
