import { describe, expect, it } from 'vitest';
import { createMetrics, startOpsServer } from './ops-server.ts';

const listen = { host: '127.0.0.1', port: 0 };

describe('what a component says of itself', () => {
  it('is whether it is alive and ready, with the reasons why not', async () => {
    let reasons = ['no verdicts yet', 'namespaces were not read yet'];
    await using server = await startOpsServer({ listen, metrics: createMetrics(), notReady: () => reasons });
    const get = (path: string): Promise<Response> => fetch(`http://127.0.0.1:${server.port}${path}`);
    expect((await get('/healthz')).status).toBe(200);
    const notReady = await get('/readyz');
    expect([notReady.status, await notReady.text()]).toEqual([
      503,
      'no verdicts yet\nnamespaces were not read yet\n',
    ]);
    reasons = [];
    expect((await get('/readyz?verbose')).status).toBe(200);
    expect((await get('/elsewhere')).status).toBe(404);
  });

  it('is metrics that begin with the name of the product', async () => {
    await using server = await startOpsServer({ listen, metrics: createMetrics(), notReady: () => [] });
    const response = await fetch(`http://127.0.0.1:${server.port}/metrics`);
    expect(response.headers.get('content-type')).toContain('text/plain');
    const names = (await response.text()).split('\n').filter((line) => line !== '' && !line.startsWith('#'));
    expect(names.length).toBeGreaterThan(10);
    expect(names.filter((line) => !line.startsWith('gatehouse_'))).toEqual([]);
  });

  it('is said no more once it is disposed of', async () => {
    const server = await startOpsServer({ listen, metrics: createMetrics(), notReady: () => [] });
    await server[Symbol.asyncDispose]();
    await expect(fetch(`http://127.0.0.1:${server.port}/healthz`)).rejects.toThrow();
  });
});
