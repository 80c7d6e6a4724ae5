import { noLog } from '@gatehouse/lib/log.ts';
import { describe, expect, it } from 'vitest';
import type { App } from '../app/app.ts';
import { createHttpServer } from './server.ts';

/** The status of a request without a token that lacks what the route needs: 400 for those who are let in. */
async function statusOf(trustsLoopback: boolean, remoteAddress: string, host: string): Promise<number> {
  const app = { log: noLog } as App;
  const server = await createHttpServer(undefined, { app, authorities: [], trustsLoopback, log: noLog });
  const { statusCode } = await server.inject({ url: '/api/v1/image', remoteAddress, headers: { host } });
  await server.close();
  return statusCode;
}

describe("the API of one's own machine", () => {
  it.each([
    ['127.0.0.1', 'localhost:8080'],
    ['127.0.0.1', '127.0.0.1:8080'],
    ['::ffff:127.0.0.1', 'localhost'],
    ['::1', '[::1]:8080'],
  ])('asks no token of %s that calls it %s', async (from, host) => {
    expect(await statusOf(true, from, host)).toBe(400);
  });

  it.each([
    ['192.0.2.7', 'localhost:8080'],
    ['::ffff:192.0.2.7', '127.0.0.1:8080'],
    ['2001:db8::127', '[::1]:8080'],
    ['127.0.0.1', 'evil.example:8080'],
  ])('asks a token of %s that calls it %s', async (from, host) => {
    expect(await statusOf(true, from, host)).toBe(401);
  });

  it('asks a token of everybody where it is not for this machine alone', async () => {
    expect(await statusOf(false, '127.0.0.1', 'localhost')).toBe(401);
  });
});
