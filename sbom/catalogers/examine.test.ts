import { describe, expect, it } from 'vitest';
import { fileOf } from '../testing/files.ts';
import type { Cataloger, Findings } from './cataloger.ts';
import { dpkg } from './dpkg.ts';
import { examine, partsOf, wholeOf } from './examine.ts';
import { executable } from './executable.ts';
import { FileParts } from './file-parts.ts';
import { npm } from './npm.ts';

function giving(findings: Findings): Cataloger {
  return { name: 'sample', version: 1, maxBytes: 1024, matches: () => true, catalog: () => findings };
}

describe('examining a file', () => {
  it('puts packages in an order of their own, and each once', () => {
    const stanza = (name: string): string => `Package: ${name}\nVersion: 1\n`;
    const names = (text: string): unknown => examine(dpkg, fileOf(text));
    expect(names([stanza('b'), stanza('a'), stanza('b')].join('\n'))).toEqual(
      names([stanza('a'), stanza('b')].join('\n')),
    );
  });

  it.each([
    ['a control character', 'a\u0007b'],
    ['half a character', '\ud800'],
    ['no end', 'x'.repeat(1025)],
    ['nothing in it', ''],
  ])('leaves out a name that has %s, and says so', (_what, name) => {
    const found = examine(giving({ packages: [{ type: 'npm', name, version: '1' }] }), fileOf(''));
    expect(found).toMatchObject({ packages: [], problem: { code: 'evidence_invalid' } });
  });

  it('leaves out an operating system that cannot be printed', () => {
    const found = examine(giving({ packages: [], os: { id: 'deb\nian' } }), fileOf(''));
    expect(found).toMatchObject({ os: undefined, problem: { code: 'evidence_invalid' } });
  });

  it('reports a fault in the file, and any failure of a parser, as a finding', () => {
    expect(examine(npm, fileOf('{'))).toMatchObject({
      problem: { message: 'the manifest is not a JSON object' },
    });
    const failing: Cataloger = {
      ...giving({ packages: [] }),
      catalog: () => {
        throw new TypeError('x is undefined');
      },
    };
    expect(examine(failing, fileOf(''))).toMatchObject({ problem: { message: 'the file cannot be parsed' } });
  });

  it.each([
    ['texts of more than 32 MiB', dpkg, 33],
    ['programs of more than 128 MiB that would be needed as a whole', executable, 129],
  ])('does not read %s', (_what, cataloger, mebibytes) => {
    const size = mebibytes * 1024 * 1024;
    expect(wholeOf(cataloger, size)).toEqual([]);
    expect(examine(cataloger, new FileParts(size, []))).toMatchObject({
      problem: { code: 'evidence_too_large' },
    });
  });

  it('asks for all of a text, and of other files only for what their cataloger names', () => {
    expect(partsOf(npm, Buffer.alloc(0), { size: 500, hint: '' })).toEqual([{ start: 0, length: 500 }]);
    expect(partsOf(executable, Buffer.from('#!/bin/sh'), { size: 500, hint: '' })).toBeUndefined();
  });
});
