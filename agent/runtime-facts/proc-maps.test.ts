import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { mappedFiles } from './proc-maps.ts';

interface Mapping {
  readonly rights: string;
  readonly path: string;
}

/** As the kernel prints it: only line breaks are escaped, and the name begins at column 73 at the earliest. */
function lineOf({ rights, path }: Mapping): string {
  const start = `7f5c1a000000-7f5c1a021000 ${rights} 00002000 fe:01 1234`;
  return `${path === '' ? start : `${start.padEnd(73)}${path.replaceAll('\n', '\\012')}`}\n`;
}

const name = fc.string({ unit: fc.constantFrom('a', 'é', ' ', '\\', '.', '\t', '[', '\n'), minLength: 1 });
const mapping: fc.Arbitrary<Mapping> = fc.record({
  rights: fc.constantFrom('r-xp', 'r--p', 'rw-p', '--xs', 'rwxp', '---p'),
  path: fc.oneof(
    fc.array(name, { minLength: 1, maxLength: 4 }).map((names) => `/${names.join('/')}`),
    fc.constantFrom(
      '',
      '[heap]',
      '[vdso]',
      'anon_inode:[perf_event]',
      '/usr/lib/x.so (deleted)',
      '/memfd:a (deleted)',
    ),
  ),
});

describe('the files that a process has mapped', () => {
  it('are those that it may run code from, each once, whatever they are called', () => {
    fc.assert(
      fc.property(fc.array(mapping), (mappings) => {
        const expected = mappings
          .filter(({ rights, path }) => rights[2] === 'x' && path.startsWith('/'))
          .map(({ path }) => path)
          .filter((path) => !path.endsWith(' (deleted)') && !path.includes('\n'));
        expect(mappedFiles(mappings.map(lineOf).join(''))).toEqual([...new Set(expected)]);
      }),
    );
  });

  it('are read from whatever text without a fault', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary' }), (text) => {
        for (const path of mappedFiles(text)) expect(path).toMatch(/^\//);
      }),
    );
  });

  it('leave out a text that was cut off in its last line', () => {
    const whole = lineOf({ rights: 'r-xp', path: '/usr/bin/a' });
    expect(mappedFiles(whole + whole.slice(0, 40))).toEqual(['/usr/bin/a']);
  });
});
