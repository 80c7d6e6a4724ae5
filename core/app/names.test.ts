import { aliasKey } from '@gatehouse/policies';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { aliases, diffIds, digest, shortText } from './names.ts';

const hex = (length: number) =>
  fc.string({ unit: fc.constantFrom(...'0123456789abcdef'), minLength: length, maxLength: length });
const anyDigest = hex(64).map((digits) => `sha256:${digits}`);
const d = `sha256:${'d'.repeat(64)}`;
const refusal = (message: RegExp) =>
  expect.objectContaining({ code: 'invalid_request', message: expect.stringMatching(message) });

describe('a digest in a request', () => {
  it('is taken as it is', () => {
    fc.assert(
      fc.property(anyDigest, (text) => {
        expect(digest('image.digest', text)).toBe(text);
      }),
    );
  });

  it.each([
    ['nothing', ''],
    ['without its algorithm', 'd'.repeat(64)],
    ['of another algorithm', `sha512:${'d'.repeat(128)}`],
    ['too short', d.slice(0, -1)],
    ['too long', `${d}0`],
    ['in capital letters', d.toUpperCase()],
    ['in capital digits', `sha256:${'D'.repeat(64)}`],
    ['with a line end', `${d}\n`],
    ['behind a line end', `x\n${d}`],
    ['with a zero byte', `${d}\0`],
    ['behind a name', `app@${d}`],
  ])('that is %s is refused, with the name of the field', (_what, text) => {
    expect(() => digest('image.digest', text)).toThrow(refusal(/^image\.digest is not a digest/));
  });
});

describe('the layers in a request', () => {
  it('keep their order, and may come twice', () => {
    fc.assert(
      fc.property(fc.array(anyDigest), (texts) => {
        const twice = [...texts, ...texts];
        expect(diffIds('image.diff_ids', twice)).toEqual(twice);
      }),
    );
  });

  it('are refused as a whole for one that is no digest, which the message names', () => {
    expect(() => diffIds('image.diff_ids', [d, d, 'app:1', d])).toThrow(refusal(/^image\.diff_ids\[2\] is/));
  });

  it('are no more than 512', () => {
    const most = Array<string>(512).fill(d);
    expect(diffIds('image.diff_ids', most)).toHaveLength(512);
    expect(() => diffIds('image.diff_ids', [...most, d])).toThrow(
      refusal(/has 513 entries; the most is 512/),
    );
  });
});

describe('the names of an image in a request', () => {
  it.each([
    ['nginx', ['docker.io/library/nginx:latest']],
    ['team/app:1', ['docker.io/team/app:1']],
    ['registry.test:5000/app:1', ['registry.test:5000/app:1']],
    [`nginx@${d}`, [`docker.io/library/nginx@${d}`]],
    [`nginx:1@${d}`, [`docker.io/library/nginx:1@${d}`]],
    [d, [d]],
    ['<none>:<none>', []],
    ['<none>@<none>', []],
    ['Nginx:1', []],
    ['', []],
    ['app:1\0', []],
    ['app:1\n', []],
  ])('are made full: %j', (text, full) => {
    expect(aliases([text])).toEqual(full);
  });

  it('are there once, in an order of their own', () => {
    expect(aliases(['b:1', 'nginx', 'docker.io/nginx:latest', 'b:1', 'a:1'])).toEqual([
      'docker.io/library/a:1',
      'docker.io/library/b:1',
      'docker.io/library/nginx:latest',
    ]);
  });

  it('are found by the same key as what the runtime said, and are full already when they come back', () => {
    const word = fc.string({ unit: fc.constantFrom(...'ab1-_.:/@'), maxLength: 12 });
    const name = fc
      .tuple(word, fc.option(anyDigest))
      .map(([text, digest]) => (digest ? `${text}@${digest}` : text));
    fc.assert(
      fc.property(name, (text) => {
        const full = aliases([text]);
        expect(full.map(aliasKey)).toEqual([aliasKey(text)].filter((key) => key !== undefined));
        expect(aliases(full)).toEqual(full);
      }),
      { numRuns: 1_000 },
    );
  });

  it('are no more than 128, digests first, and those that no pod could name do not count', () => {
    const digested = `app@${d}`;
    const tags = Array.from({ length: 200 }, (_, n) => `app:${1000 + n}`);
    const kept = aliases([...Array<string>(200).fill('<none>'), ...tags, digested]);
    expect(kept).toHaveLength(128);
    expect(kept.slice(0, 2)).toEqual([`docker.io/library/${digested}`, 'docker.io/library/app:1000']);
  });
});

describe('a text in a request', () => {
  it('is kept as it is, but for zero bytes, which PostgreSQL does not take', () => {
    const text = fc.string({ unit: fc.oneof(fc.string({ maxLength: 2 }), fc.constant('\0')), maxLength: 20 });
    fc.assert(
      fc.property(text, (each) => {
        expect(shortText('f', each)).toBe(each.split('\0').join(''));
      }),
    );
  });

  it('is no longer than 512 characters, or than what its field allows', () => {
    expect(shortText('runtime', 'x'.repeat(512))).toHaveLength(512);
    expect(() => shortText('runtime', 'x'.repeat(513))).toThrow(
      refusal(/^runtime has 513 characters; the most is 512/),
    );
    expect(shortText('reason', 'x'.repeat(600), 600)).toHaveLength(600);
    expect(() => shortText('reason', 'xyz', 2)).toThrow(refusal(/the most is 2/));
  });
});
