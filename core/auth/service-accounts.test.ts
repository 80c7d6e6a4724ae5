import { noLog } from '@gatehouse/lib/log.ts';
import { exportJWK, generateKeyPair, type JSONWebKeySet, type JWTPayload, SignJWT } from 'jose';
import { beforeAll, describe, expect, it } from 'vitest';
import type { Role } from '../app/app.ts';
import { authenticate, type TokenAuthority } from './authenticator.ts';
import { serviceAccounts, TOKEN_AUDIENCE } from './service-accounts.ts';

const ISSUER = 'https://kubernetes.default.svc';
const roles = new Map<string, Role>([
  ['gatehouse-agents:gatehouse-agent', 'agent'],
  ['gatehouse-system:gatehouse-webhook', 'webhook'],
  ['gatehouse-system:gatehouse-admin', 'admin'],
]);

interface Key {
  readonly id: string;
  readonly sign: Awaited<ReturnType<typeof generateKeyPair>>['privateKey'];
  readonly jwk: JSONWebKeySet['keys'][number];
}

async function newKey(id: string): Promise<Key> {
  const { privateKey, publicKey } = await generateKeyPair('RS256');
  return {
    id,
    sign: privateKey,
    jwk: { ...(await exportJWK(publicKey)), kid: id, alg: 'RS256', use: 'sig' },
  };
}

let first: Key;
let second: Key;
beforeAll(async () => {
  [first, second] = await Promise.all([newKey('first'), newKey('second')]);
});

/** A token as the API server projects it into a pod. */
function tokenOf(
  account: string,
  { key = first, node, claims = {} }: { key?: Key; node?: string; claims?: JWTPayload } = {},
): Promise<string> {
  const [namespace, name] = account.split(':');
  return new SignJWT({
    sub: `system:serviceaccount:${account}`,
    iss: ISSUER,
    aud: [TOKEN_AUDIENCE],
    exp: Math.floor(Date.now() / 1000) + 3600,
    'kubernetes.io': { namespace, serviceaccount: { name }, ...(node && { node: { name: node } }) },
    ...claims,
  })
    .setProtectedHeader({ alg: 'RS256', kid: key.id })
    .sign(key.sign);
}

/** The authority of a cluster whose API server has these keys. */
function cluster(keys: () => readonly Key[]): TokenAuthority & { readonly asked: () => number } {
  let asked = 0;
  const discover = async () => {
    asked++;
    return { issuer: ISSUER, keys: { keys: keys().map((key) => key.jwk) } };
  };
  return { ...serviceAccounts({ cluster: 'prod', discover, roles }, noLog), asked: () => asked };
}

describe('a service account of the cluster', () => {
  it('speaks as an agent for the node that its token names', async () => {
    const token = await tokenOf('gatehouse-agents:gatehouse-agent', { node: 'node-7' });
    expect(await cluster(() => [first]).callerOf(token)).toEqual({
      role: 'agent',
      cluster: 'prod',
      node: 'node-7',
    });
  });

  it('speaks as a webhook or as an administrator', async () => {
    const authority = cluster(() => [first]);
    expect(await authority.callerOf(await tokenOf('gatehouse-system:gatehouse-webhook'))).toEqual({
      role: 'webhook',
      cluster: 'prod',
    });
    expect(await authority.callerOf(await tokenOf('gatehouse-system:gatehouse-admin'))).toMatchObject({
      role: 'admin',
    });
  });

  it('may not speak for an agent without a node', async () => {
    const token = await tokenOf('gatehouse-agents:gatehouse-agent');
    await expect(cluster(() => [first]).callerOf(token)).rejects.toMatchObject({ code: 'forbidden' });
  });

  it('without a role may not speak at all', async () => {
    const token = await tokenOf('default:default');
    await expect(cluster(() => [first]).callerOf(token)).rejects.toMatchObject({ code: 'forbidden' });
  });

  it('of the right name in another namespace has no role', async () => {
    const token = await tokenOf('evil:gatehouse-admin');
    await expect(cluster(() => [first]).callerOf(token)).rejects.toMatchObject({ code: 'forbidden' });
  });
});

describe('a token is refused', () => {
  it.each<[string, JWTPayload]>([
    ['that has expired', { exp: Math.floor(Date.now() / 1000) - 60 }],
    ['that never expires', { exp: undefined } as unknown as JWTPayload],
    ['for another audience', { aud: ['https://kubernetes.default.svc'] }],
    ['of another issuer', { iss: 'https://elsewhere' }],
  ])('%s', async (_what, claims) => {
    const token = await tokenOf('gatehouse-system:gatehouse-admin', { claims });
    expect(await cluster(() => [first]).callerOf(token)).toBeUndefined();
  });

  it('that somebody else has signed', async () => {
    const forged = await tokenOf('gatehouse-system:gatehouse-admin', { key: { ...second, id: 'first' } });
    expect(await cluster(() => [first]).callerOf(forged)).toBeUndefined();
  });

  it('that nobody has signed', async () => {
    const header = Buffer.from('{"alg":"none"}').toString('base64url');
    const body = (await tokenOf('gatehouse-system:gatehouse-admin')).split('.')[1];
    expect(await cluster(() => [first]).callerOf(`${header}.${body}.`)).toBeUndefined();
  });

  it.each([
    [undefined],
    [''],
    ['Basic abc'],
    ['Bearer'],
    ['Bearer two words'],
    [`Bearer ${'x'.repeat(20_000)}`],
  ])('that is none: %s', async (header) => {
    await expect(authenticate([cluster(() => [first])], header)).rejects.toMatchObject({
      code: 'unauthenticated',
    });
  });
});

describe('the keys of a cluster', () => {
  it('are asked for once for many tokens', async () => {
    const authority = cluster(() => [first]);
    const token = await tokenOf('gatehouse-system:gatehouse-admin');
    const callers = await Promise.all([1, 2, 3].map(() => authority.callerOf(token)));
    expect(callers.map((caller) => caller?.role)).toEqual(['admin', 'admin', 'admin']);
    expect((await authority.callerOf(token))?.role).toBe('admin');
    expect(authority.asked()).toBe(1);
  });

  it('that are unknown do not make every stranger a question to the API server', async () => {
    const authority = cluster(() => [first]);
    const stranger = await tokenOf('gatehouse-system:gatehouse-admin', { key: second });
    for (let n = 0; n < 20; n++) expect(await authority.callerOf(stranger)).toBeUndefined();
    expect(authority.asked()).toBe(1);
  });

  it('that cannot be had refuse everybody', async () => {
    const authority = serviceAccounts(
      { cluster: 'prod', discover: () => Promise.reject(new Error('no route to host')), roles },
      noLog,
    );
    expect(await authority.callerOf(await tokenOf('gatehouse-system:gatehouse-admin'))).toBeUndefined();
  });
});
