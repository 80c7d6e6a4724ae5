import { describe, expect, it } from 'vitest';
import { fileOf } from '../testing/files.ts';
import { examineStreamed } from '../testing/kept-parts.ts';
import { elfProgram } from '../testing/programs.ts';
import { examine, isLacking } from './examine.ts';
import { executable } from './executable.ts';
import { programHint } from './known-binary.ts';
import { signatures } from './signatures.ts';

/** A program with texts among its constants. */
function programOf(...texts: readonly string[]): Buffer {
  return elfProgram(Buffer.alloc(5000), { text: Buffer.from(`\0${texts.join('\0')}\0`, 'latin1') });
}

function identify(path: string, ...texts: readonly string[]): readonly string[] {
  const program = programOf(...texts);
  const hint = executable.hint?.(path);
  const found = examine(executable, fileOf(program, hint));
  expect(examineStreamed(executable, program, hint)).toEqual(found);
  if (found === undefined || isLacking(found)) return [];
  return found.packages.map(({ name, version }) => `${name} ${version}`);
}

describe('the cataloger of executables, of well-known programs,', () => {
  it.each([
    ['usr/bin/node', 'node'],
    ['usr/lib/libnode.so.108', 'node'],
    ['usr/bin/python3.11', 'python@3.11'],
    ['opt/libpython3.6m.so.1.0', 'python@3.6'],
    ['usr/bin/python3', ''],
    ['usr/bin/perl5.36.0', 'perl'],
    ['usr/bin/perldoc', ''],
    ['usr/sbin/php-fpm8.2', 'php'],
    ['usr/lib/libphp8.2.so', 'php'],
    ['usr/sbin/mysqld', 'mariadb'],
    ['usr/sbin/nginx', 'nginx openresty'],
    ['usr/lib/libcrypto.so.3', 'libressl openssl'],
    ['lib/ld-musl-x86_64.so.1', 'musl'],
    ['usr/bin/nginx/other', ''],
  ])('takes %s for %j', (path, hint) => {
    expect(programHint(path)).toBe(hint);
  });

  it('minds libraries that cannot be run, and no other such files', () => {
    const file = { size: 100, mode: 0o644 };
    expect(executable.matches('usr/lib/libcrypto.so.3', file)).toBe(true);
    expect(executable.matches('usr/lib/libother.so.3', file)).toBe(false);
    expect(executable.matches('usr/lib/libcrypto.so.3', { ...file, size: 0 })).toBe(false);
  });

  it.each([
    ['apache2', 'Apache/2.4.62 (Debian)', 'apache-httpd 2.4.62'],
    ['bash', '@(#)Bash version 5.2.15(1) release GNU', 'bash 5.2.15'],
    ['haproxy', ' version 2.8.5-aaba8d0, released 2023/12/16', 'haproxy 2.8.5'],
    ['httpd', 'Apache/2.4.62', 'apache-httpd 2.4.62'],
    ['libcrypto.so.3', 'OpenSSL 3.0.11 19 Sep 2023', 'openssl 3.0.11'],
    ['libcrypto.so.1.1', 'OpenSSL 1.1.1k  FIPS 25 Mar 2021', 'openssl 1.1.1k'],
    ['libcrypto.so.10', 'OpenSSL 1.0.2k-fips  26 Jan 2017', 'openssl 1.0.2k'],
    ['openssl', 'LibreSSL 3.8.2', 'libressl 3.8.2'],
    ['mysqld', '10.6.16-MariaDB', 'mariadb 10.6.16'],
    ['nginx', 'nginx version: openresty/1.21.4.1\n', 'openresty 1.21.4.1'],
    ['postgres', 'PostgreSQL 17beta1 on x86_64-pc-linux-musl', 'postgresql 17beta1'],
    ['postgres', 'PostgreSQL 15.7 (Debian 15.7-1.pgdg120+1) on x86_64', 'postgresql 15.7'],
    ['redis-server', '7.0.151790282056000000000', 'redis 7.0.15'],
    ['redis-server', '7.0.15buildkitsandbox-1704800000000000000', 'redis 7.0.15'],
    ['redis-server', '6.2.45b1c9d2e3f40-1690000000000000000', 'redis 6.2.4'],
    ['ruby', 'ruby 3.3.0 (2023-12-25 revision 5124f9ac75) [x86_64-linux]', 'ruby 3.3.0'],
    ['valkey-server', 'valkey8.0.1buildkitsandbox-1704800000000000000', 'valkey 8.0.1'],
  ])('reads in %s the text %j', (name, text, expected) => {
    expect(identify(`usr/bin/${name}`, text)).toEqual([expected]);
  });

  it('takes of several versions the one of the series that the name tells', () => {
    expect(identify('usr/bin/python3.12', '3.2.0', '3.1.2', '3.12.10', '3.47.1')).toEqual(['python 3.12.10']);
    expect(identify('usr/bin/python3.12', '3.2.0', '3.11.2')).toEqual([]);
  });

  it('has nothing to say of what only has the name', () => {
    expect(identify('usr/bin/node', 'something else')).toEqual([]);
    expect(identify('usr/bin/other', 'node.js/v24.1.0')).toEqual([]);
    expect(
      examineStreamed(executable, Buffer.from('#!/bin/sh\n# node.js/v24.1.0\n'), 'node'),
    ).toBeUndefined();
  });

  it('finds a text wherever it lies among the constants', () => {
    for (const at of [0, 1, 1_048_000, 1_048_570, 1_048_576, 3_000_000]) {
      const program = programOf('x'.repeat(at), 'node.js/v24.1.0', 'y'.repeat(4_000_000));
      expect(examineStreamed(executable, program, 'node')).toMatchObject({
        packages: [{ type: 'generic', name: 'node', version: '24.1.0' }],
      });
    }
  });

  it('looks for the text at all places of a program that is full of what texts have in them', () => {
    const program = programOf('node.js/vx'.repeat(2_000_000), 'node.js/v24.1.0');
    expect(examineStreamed(executable, program, 'node')).toBe('needs-whole');
    expect(examine(executable, fileOf(program, 'node'))).toMatchObject({
      packages: [{ type: 'generic', name: 'node', version: '24.1.0' }],
    });
  });

  it('takes no longer for texts that nearly match', () => {
    const text = ['7.0.1', 'v5.3', 'PostgreSQL 15 (', 'OpenSSL 3.0.', ' version 1.', '\0'].join('');
    const program = programOf(text.repeat(200_000), `1.1.1${'a-'.repeat(2_000_000)}`, '1'.repeat(4_000_000));
    const names = signatures.map(({ name }) => name).join(' ');
    expect(examine(executable, fileOf(program, names))).toBeUndefined();
  });

  it('has every signature say the version by a text that is no longer than what pieces share', () => {
    for (const { text } of signatures) {
      expect(text.flags).toBe('g');
      expect(text.source).toContain('(?<version>');
      expect(text.source).not.toMatch(/[^\\][*+]/);
    }
  });

  it('has all texts of a signature hold what programs are searched for', () => {
    for (const { name, text, anchor } of signatures) {
      if (anchor === undefined) continue;
      const required = text.source
        .replaceAll(/\((?:[^()]|\((?:[^()]|\([^()]*\))*\))*\)\?/g, '#')
        .replaceAll('\\', '');
      expect(required, name).toContain(anchor);
      expect(anchor.length, name).toBeLessThan(8);
    }
  });
});
