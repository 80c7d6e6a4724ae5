import { explain } from '@gatehouse/lib/errors.ts';
import { describe, expect, it } from 'vitest';
import { apiError } from './api-error.ts';

/** As the client throws them: the body is the text of a Status. */
function rejection(code: number, message: string): Error {
  const body = JSON.stringify({ kind: 'Status', code, message });
  return Object.assign(new Error(`HTTP-Code: ${code}\nHeaders: {"audit-id":"x"}`), { code, body });
}

describe('an error of the API server', () => {
  it.each([
    [401, 'api_denied'],
    [403, 'api_denied'],
    [404, 'api_rejected'],
    [409, 'api_conflict'],
    [410, 'api_unavailable'],
    [422, 'api_rejected'],
    [429, 'api_unavailable'],
    [500, 'api_unavailable'],
    [503, 'api_unavailable'],
  ])('of status %i is %s', (status, code) => {
    expect(apiError('read Secret a/b', rejection(status, 'x')).code).toBe(code);
  });

  it('says in one line what was tried and what the server said', () => {
    expect(explain(apiError('patch Secret a/b', rejection(422, 'data is immutable')))).toBe(
      'cannot patch Secret a/b: 422 data is immutable',
    );
  });

  it('says what to do about missing rights', () => {
    expect(explain(apiError('watch Secret a/b', rejection(403, 'forbidden')))).toMatch(
      /: 403 forbidden. Compare the roles/,
    );
  });

  it('is understood as a watch gives it, by a refused request or by a Status', () => {
    expect(
      apiError('watch Secret a/b', Object.assign(new Error('Forbidden'), { statusCode: 403 })),
    ).toMatchObject({
      code: 'api_denied',
      message: 'cannot watch Secret a/b: 403 Forbidden',
    });
    expect(apiError('watch Secret a/b', { kind: 'Status', code: 410, message: 'too old' })).toMatchObject({
      code: 'api_unavailable',
      message: 'cannot watch Secret a/b: 410 too old',
    });
  });

  it('keeps the cause if there was no answer', () => {
    const cause = Object.assign(new TypeError('fetch failed'), { cause: { code: 'ECONNREFUSED' } });
    expect(apiError('read Secret a/b', cause)).toMatchObject({ code: 'api_unavailable', cause });
  });

  it('shows an answer that is not a Status as it came', () => {
    const thrown = Object.assign(new Error('x'), { code: 502, body: 'bad gateway' });
    expect(apiError('read Secret a/b', thrown).message).toBe('cannot read Secret a/b: 502 bad gateway');
  });
});
