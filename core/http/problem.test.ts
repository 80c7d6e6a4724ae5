import { createLog } from '@gatehouse/lib/log.ts';
import fastify from 'fastify';
import { describe, expect, it } from 'vitest';
import { CoreError, type CoreErrorCode, coreErrorCodes } from '../errors.ts';
import { sendProblems } from './problem.ts';

/** What a server answers whose one route throws this, and what it logs of it. */
async function answerTo(
  thrown: unknown,
  request: { method?: 'GET' | 'POST'; url?: string; payload?: string } = {},
) {
  const logged: string[] = [];
  const server = fastify({ bodyLimit: 100 });
  sendProblems(server, createLog('core', 'info', { write: (line) => logged.push(line) }));
  server.route({ method: ['GET', 'POST'], url: '/thing', handler: () => Promise.reject(thrown) });
  const headers = request.payload === undefined ? {} : { 'content-type': 'application/json' };
  const response = await server.inject({ method: 'GET', url: '/thing', headers, ...request });
  await server.close();
  return {
    status: response.statusCode,
    type: response.headers['content-type'],
    problem: response.json<{ type: string; title: string; status: number; detail: string }>(),
    logged,
  };
}

describe('a problem of a request', () => {
  it.each(Object.keys(coreErrorCodes) as CoreErrorCode[])(
    'of ours is told with its code: %s',
    async (code) => {
      const { status, type, problem, logged } = await answerTo(
        new CoreError(code, 'what is wrong', { cause: new Error('and why'), hint: 'Mend it.' }),
      );
      expect(type).toMatch(/^application\/problem\+json\b/);
      expect(problem).toEqual({
        type: `https://gatehouse.dev/errors/${code}`,
        title: code,
        status,
        detail: 'what is wrong: and why. Mend it.',
      });
      expect(logged).toHaveLength(status >= 500 ? 1 : 0);
    },
  );

  it.each<[CoreErrorCode, number]>([
    ['invalid_request', 400],
    ['unauthenticated', 401],
    ['forbidden', 403],
    ['not_found', 404],
    ['store_unavailable', 503],
  ])('has a status by which a tool knows whose fault it is: %s is %i', async (code, status) => {
    expect((await answerTo(new CoreError(code, 'x'))).status).toBe(status);
  });

  it.each([
    ['an error', new Error('password authentication failed for user "gatehouse"')],
    ['an error that names a status of its own', Object.assign(new Error('of a secret'), { statusCode: 502 })],
  ])('that is none of ours says only that it happened, and the log says what: %s', async (_what, error) => {
    const { status, problem, logged } = await answerTo(error);
    expect([status, problem.status, problem.title]).toEqual([500, 500, 'internal']);
    expect(JSON.stringify(problem)).not.toContain(error.message);
    expect(logged.map((line) => JSON.parse(line).err.message)).toEqual([error.message]);
  });

  it.each([
    ['is no JSON', '{', 400],
    ['is too long', `"${'x'.repeat(100)}"`, 413],
  ])('with a body that %s is the request’s fault', async (_what, payload, expected) => {
    const { status, type, problem, logged } = await answerTo(new Error('never'), { method: 'POST', payload });
    expect([status, problem.status, problem.title]).toEqual([expected, expected, 'invalid_request']);
    expect(type).toMatch(/^application\/problem\+json\b/);
    expect(logged).toEqual([]);
  });

  it('with a path that leads nowhere says where to look', async () => {
    const { status, problem } = await answerTo(undefined, { url: '/elsewhere' });
    expect([status, problem.title]).toEqual([404, 'not_found']);
    expect(problem.detail).toMatch(/^there is nothing at GET \/elsewhere\. See .*openapi\.json/);
  });
});
