import { deflateSync } from 'node:zlib';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { fileOf } from '../testing/files.ts';
import { examineStreamed } from '../testing/kept-parts.ts';
import { elfProgram, goProgram, rustProgram, withSection } from '../testing/programs.ts';
import { MAX_PROGRAM_BYTES } from './cataloger.ts';
import { examine } from './examine.ts';
import { executable } from './executable.ts';
import { FileParts } from './file-parts.ts';

const list = {
  packages: [
    { name: 'serde', version: '1.0.190', source: 'crates.io' },
    { name: 'cc', version: '1.0.83', source: 'crates.io', kind: 'build' },
    { name: 'tool', version: '0.3.0', source: 'local', kind: 'runtime', dependencies: [0], root: true },
  ],
};
const packages = [
  { type: 'cargo', name: 'serde', version: '1.0.190' },
  { type: 'cargo', name: 'tool', version: '0.3.0' },
];

function sectionOf(content: Buffer): Buffer {
  return withSection(elfProgram(Buffer.alloc(64)), { name: '.dep-v0', content });
}

describe('the cataloger of executables, of Rust programs,', () => {
  it('gives the crates that were linked in, without those that ran in the build only', () => {
    expect(examine(executable, fileOf(rustProgram(list)))).toMatchObject({ packages, problem: undefined });
  });

  it('needs a second look at a stream, in which the list has passed by when its place is known', () => {
    expect(examineStreamed(executable, rustProgram(list))).toBe('needs-whole');
  });

  it('asks for no more of a program with sections of other names, and of one without any', () => {
    const program = elfProgram(Buffer.alloc(20_000));
    const other = withSection(program, { name: '.dep-v1', content: Buffer.alloc(9000) });
    expect(examineStreamed(executable, other)).toBeUndefined();
    expect(examineStreamed(executable, program)).toBeUndefined();
  });

  it('gives the modules of Go beside them, where a program has both', () => {
    const program = goProgram({ toolchain: 'go1.22.3', modules: '' });
    expect(examine(executable, fileOf(rustProgram(list, { program })))).toMatchObject({
      packages: [...packages, { name: 'stdlib', version: '1.22.3' }],
    });
  });

  it('needs all of a program whose names of sections lie elsewhere, as lld puts them', () => {
    expect(examineStreamed(executable, rustProgram(list, { gap: 10_000 }))).toBe('needs-whole');
    expect(examine(executable, fileOf(rustProgram(list, { gap: 10_000 })))).toMatchObject({ packages });
  });

  it('says nothing of such a program that is too large to be read as a whole', () => {
    const program = rustProgram(list, { gap: 10_000, program: elfProgram(Buffer.alloc(0)) });
    program.writeBigUInt64LE(BigInt(MAX_PROGRAM_BYTES), 40);
    const head = { start: 0, bytes: program.subarray(0, 4096) };
    const table = { start: MAX_PROGRAM_BYTES, bytes: program.subarray(-192) };
    const file = new FileParts(MAX_PROGRAM_BYTES + table.bytes.length, [head, table]);
    expect(examine(executable, file)).toBeUndefined();
  });

  it.each([
    ['is cut off', deflateSync(JSON.stringify(list)).subarray(0, -8)],
    ['is no JSON', deflateSync('{')],
    ['is of another shape', deflateSync('{"packages":[{"name":7}]}')],
    ['inflates to more than any list has', deflateSync(Buffer.alloc(9 * 1024 * 1024, ' '))],
    ['is longer than any list', Buffer.alloc(1024 * 1024 + 1)],
  ])('takes a list that %s for evidence that cannot be read', (_what, content) => {
    expect(examine(executable, fileOf(sectionOf(content)))).toMatchObject({
      packages: [],
      problem: { code: 'evidence_invalid' },
    });
  });

  it('keeps what Go says of a program whose list is damaged', () => {
    const program = goProgram({ toolchain: 'go1.22.3', modules: '' });
    const damaged = withSection(program, { name: '.dep-v0', content: Buffer.from('?') });
    expect(examine(executable, fileOf(damaged))).toMatchObject({
      packages: [{ name: 'stdlib' }],
      problem: { code: 'evidence_invalid' },
    });
  });

  it('survives any damage', () => {
    const program = rustProgram(list);
    const end = program.length - 1;
    const at = fc.oneof(fc.nat(63), fc.integer({ min: end - 300, max: end }));
    const changes = fc.array(fc.record({ at, to: fc.nat(255) }), { minLength: 1, maxLength: 8 });
    fc.assert(
      fc.property(changes, (damage) => {
        const damaged = Buffer.from(program);
        for (const change of damage) damaged[change.at] = change.to;
        examineStreamed(executable, damaged);
        examine(executable, fileOf(damaged));
      }),
      { numRuns: 500 },
    );
  });
});
