import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { fileOf } from '../testing/files.ts';
import { examineStreamed, keptParts } from '../testing/kept-parts.ts';
import { elfProgram, goProgram } from '../testing/programs.ts';
import { examine, partsOf, wholeOf } from './examine.ts';
import { executable } from './executable.ts';

const modules = [
  'path\texample.test/tool/cmd',
  'mod\texample.test/tool\tv1.4.0\th1:abc=',
  'dep\tgolang.org/x/text\tv0.3.5\th1:def=',
  'dep\texample.test/old\tv1.0.0',
  '=>\texample.test/fork\tv1.0.1\th1:ghi=',
  'dep\tk8s.io/api\tv0.0.0',
  '=>\t./staging/src/k8s.io/api\t(devel)\t',
  'build\tCGO_ENABLED=0',
  '',
].join('\n');

function catalog(program: Buffer): ReturnType<typeof examine> {
  return examineStreamed(executable, program);
}

describe('the cataloger of executables, of Go programs,', () => {
  it.each([
    ['a program', 0o755, 100, true],
    ['a file that cannot be run', 0o644, 100, false],
    ['an empty file', 0o755, 0, false],
  ])('looks into %s: mode %o', (_what, mode, size, expected) => {
    expect(executable.matches('usr/bin/tool', { mode, size })).toBe(expected);
  });

  it('gives the modules that were built in, and the standard library', () => {
    expect(catalog(goProgram({ toolchain: 'go1.22.3', modules }))).toMatchObject({
      packages: [
        { name: 'example.test/fork', version: 'v1.0.1' },
        { name: 'example.test/tool', version: 'v1.4.0' },
        { name: 'golang.org/x/text', version: 'v0.3.5' },
        { name: 'k8s.io/api', version: '(devel)', unreleased: true },
        { name: 'stdlib', version: '1.22.3' },
      ],
      problem: undefined,
    });
  });

  it('finds the information wherever it lies in the data', () => {
    fc.assert(
      fc.property(fc.nat(200_000), (sixteenths) => {
        expect(catalog(goProgram({ toolchain: 'go1.22.3', modules }, sixteenths * 16))).toMatchObject({
          packages: expect.arrayContaining([{ type: 'golang', name: 'stdlib', version: '1.22.3' }]),
        });
      }),
      { numRuns: 30 },
    );
  });

  it.each([
    ['go1.22.3', '1.22.3', undefined],
    ['go1.20.6 X:boringcrypto', '1.20.6', undefined],
    ['go1.21.0-vendor.2', '1.21.0', undefined],
    ['go1.23rc1', '1.23rc1', undefined],
    ['devel go1.24-6a2fd8', '1.24', true],
    ['devel +a1b2c3', '(devel)', true],
  ])('reads the toolchain %s as %s', (toolchain, version, unreleased) => {
    expect(catalog(goProgram({ toolchain, modules: '' }))).toMatchObject({
      packages: [{ name: 'stdlib', version, ...(unreleased && { unreleased }) }],
    });
  });

  it.each(['(devel)', '', 'v0.0.0', 'v0.0.0-20240101000000-abcdef123456', 'v0.0.0+dirty'])(
    'marks a main module of the version %j as unreleased',
    (version) => {
      const found = catalog(
        goProgram({ toolchain: 'go1.22.3', modules: `mod\texample.test/tool\t${version}\n` }),
      );
      expect(found).toMatchObject({
        packages: [{ name: 'example.test/tool', unreleased: true }, { name: 'stdlib' }],
      });
    },
  );

  it('keeps a dependency that has only pseudo-versions, for advisories name those', () => {
    const found = catalog(
      goProgram({ toolchain: 'go1.22.3', modules: 'dep\ta.test/x\tv0.0.0-20200101000000-abcdef123456\n' }),
    );
    expect(found).toEqual({
      os: undefined,
      problem: undefined,
      packages: [
        { type: 'golang', name: 'a.test/x', version: 'v0.0.0-20200101000000-abcdef123456' },
        { type: 'golang', name: 'stdlib', version: '1.22.3' },
      ],
    });
  });

  it('asks for the whole file where the texts lie elsewhere, as before Go 1.18', () => {
    const program = goProgram({ toolchain: 'go1.16.7', modules, form: 'pointers' });
    expect(catalog(program)).toBe('needs-whole');
    const whole = keptParts(program, wholeOf(executable, program.length));
    expect(whole && examine(executable, whole)).toMatchObject({
      packages: expect.arrayContaining([{ type: 'golang', name: 'stdlib', version: '1.16.7' }]),
    });
  });

  it('asks for the whole file where the program headers are at its end, as patchelf leaves them', () => {
    const inline = goProgram({ toolchain: 'go1.22.3', modules });
    const program = elfProgram(inline.subarray(8192, -112), { headersAtEnd: true });
    expect(catalog(program)).toBe('needs-whole');
    expect(examine(executable, fileOf(program))).toMatchObject({ problem: undefined });
  });

  it('looks past its own magic number in data that is no build information', () => {
    const decoy = Buffer.concat([Buffer.from('\xff Go buildinf:\x08\x02', 'latin1'), Buffer.alloc(48)]);
    const program = goProgram({ toolchain: 'go1.22.3', modules });
    const data = Buffer.concat([decoy, program.subarray(8192, -112)]);
    expect(catalog(elfProgram(data))).toMatchObject({ problem: undefined });
    expect(catalog(elfProgram(decoy))).toMatchObject({ packages: [], problem: { code: 'evidence_invalid' } });
  });

  it('takes what is packed for evidence that it cannot read', () => {
    const program = elfProgram(Buffer.alloc(64));
    program.write('UPX!', 300);
    expect(catalog(program)).toMatchObject({ packages: [], problem: { code: 'evidence_packed' } });
  });

  it.each([
    ['a script', Buffer.from('#!/bin/sh\necho hello\n')],
    ['a program in another language', elfProgram(Buffer.alloc(5000, 7))],
    ['a program without writable data', elfProgram(Buffer.alloc(64), { dataFlags: 5 })],
    ['four bytes', Buffer.from('\x7fELF', 'latin1')],
    ['a cut header', elfProgram(Buffer.alloc(64)).subarray(0, 70)],
  ])('has nothing to say of %s', (_what, program) => {
    expect(catalog(program)).toBeUndefined();
  });

  it('survives any damage', () => {
    const program = goProgram({ toolchain: 'go1.22.3', modules, form: 'pointers' });
    const damage = fc.array(fc.record({ at: fc.nat(program.length - 1), to: fc.nat(255) }), {
      minLength: 1,
      maxLength: 8,
    });
    const near = damage.map((changes) => changes.map(({ at, to }) => ({ at: at % 200, to })));
    fc.assert(
      fc.property(fc.oneof(damage, near), (changes) => {
        const damaged = Buffer.from(program);
        for (const { at, to } of changes) damaged[at] = to;
        const parts = partsOf(executable, damaged.subarray(0, 4096), { size: damaged.length, hint: '' });
        const kept = parts && keptParts(damaged, parts);
        if (kept) examine(executable, kept);
        examine(executable, fileOf(damaged));
      }),
      { numRuns: 500 },
    );
  });
});
