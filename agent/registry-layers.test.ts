import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { plainSettings } from '@gatehouse/registry';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { inThisProcess } from './cataloger/cataloger.ts';
import { Registries } from './registry-layers.ts';
import type { RuntimeImage } from './runtimes/runtime.ts';

const nothing = { images: [], containers: [] };
const layers = { platform: 'linux/amd64', diffIds: [digest('1')], config: async () => undefined };
const { signal } = new AbortController();

let asked: number;
let status: number;
let host: string;
const server = createServer((_, response) => {
  asked++;
  response.writeHead(status, { 'retry-after': '0' });
  if (status !== 200) {
    response.end();
    return;
  }
  // One word after the other, and no end.
  const dripping = setInterval(() => response.write(' '), 5);
  response.on('close', () => clearInterval(dripping));
});

beforeEach(async () => {
  asked = 0;
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  host = `127.0.0.1:${(server.address() as AddressInfo).port}`;
});

afterEach(async () => {
  server.closeAllConnections();
  await new Promise((resolve) => server.close(resolve));
});

function digest(nibble: string): string {
  return `sha256:${nibble.repeat(64)}`;
}

const imageAt = (nibble: string): RuntimeImage => ({
  digest: digest(nibble),
  aliases: [`${host}/app:1`, `${host}/app@${digest(nibble)}`],
});

function registriesWith(firstMs: number): Registries {
  return new Registries({
    settings: { ...plainSettings, insecure: new Set([host]) },
    credentials: '',
    pullSecrets: undefined,
    openMs: 200,
    retry: { first: firstMs, most: firstMs },
  });
}

/** Why the image cannot be read, and whether it is worth another try. */
async function tryOnce(
  registries: Registries,
  image: RuntimeImage,
): Promise<{ reason: string; isTriedAgain: boolean }> {
  using layersOf = registries.layersOf(image, layers, nothing);
  const layer = { index: 0, diffId: digest('1'), signal };
  const reason = await layersOf.catalog(inThisProcess, layer).then(
    () => 'none',
    (error: Error) => error.message,
  );
  return { reason, isTriedAgain: layersOf.retryInMs() !== undefined };
}

describe('an image whose registry is away', () => {
  it('is tried five times in all', async () => {
    status = 503;
    const registries = registriesWith(0);
    const tried = [];
    for (let attempt = 0; attempt < 5; attempt++)
      tried.push((await tryOnce(registries, imageAt('a'))).isTriedAgain);
    expect(tried).toEqual([true, true, true, true, false]);
  });

  it('as good as, for it never comes to an end, is left', async () => {
    status = 200;
    const { reason, isTriedAgain } = await tryOnce(registriesWith(0), imageAt('a'));
    expect(reason).toContain('takes too long');
    expect(isTriedAgain).toBe(true);
  });

  it('does not keep the next one of that registry waiting', async () => {
    status = 503;
    const registries = registriesWith(1_000_000);
    await tryOnce(registries, imageAt('a'));
    const before = asked;
    const next = await tryOnce(registries, imageAt('b'));
    expect(asked).toBe(before);
    expect(next).toEqual({
      reason: expect.stringMatching(/^a moment ago: .* answers 503 .*[^.]$/),
      isTriedAgain: true,
    });
  });
});

describe('an image that its registry', () => {
  it.each([401, 404])('refuses with %i is not tried again', async (code) => {
    status = code;
    const { reason, isTriedAgain } = await tryOnce(registriesWith(0), imageAt('a'));
    expect(reason).toContain(`answers ${code}`);
    expect(isTriedAgain).toBe(false);
    expect(asked).toBe(1);
  });
});

it('asks no registry by names that may move', async () => {
  const image = { digest: digest('a'), aliases: [`${host}/app:1`, '<none>@<none>'] };
  const { reason, isTriedAgain } = await tryOnce(registriesWith(0), image);
  expect({ reason, isTriedAgain, asked }).toEqual({
    reason: 'no registry is known to have the image',
    isTriedAgain: false,
    asked: 0,
  });
});
