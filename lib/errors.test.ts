import { describe, expect, it } from 'vitest';
import { CodedError, explain, toError } from './errors.ts';

class TestError extends CodedError<'broken' | 'lost'> {}

describe('an error explained', () => {
  it('is its message, what caused it, and what to do', () => {
    const cause = new Error('ENOENT: no such file');
    const error = new TestError('lost', 'cannot read the feed', { cause, hint: 'Give another folder.' });
    expect(explain(error)).toBe('cannot read the feed: ENOENT: no such file. Give another folder.');
  });

  it('says a message once that a cause repeats', () => {
    expect(explain(new Error('it failed: no disk', { cause: new Error('no disk') }))).toBe(
      'it failed: no disk',
    );
  });

  it('takes the hint of a cause if it has none of its own', () => {
    const cause = new TestError('broken', 'inside', { hint: 'Mend it.' });
    expect(explain(new Error('outside', { cause }))).toBe('outside: inside. Mend it.');
  });

  it('comes to an end in a circle of causes', () => {
    const error = new Error('round');
    error.cause = error;
    expect(explain(error)).toBe('round');
  });

  it('may be anything that was thrown', () => {
    expect(explain('just words')).toBe('just words');
    expect(toError({ code: 7 }).message).toBe('{"code":7}');
  });

  it('bears the name of its class and its code', () => {
    expect(new TestError('broken', 'x')).toMatchObject({
      name: 'TestError',
      code: 'broken',
      hint: undefined,
    });
  });
});
