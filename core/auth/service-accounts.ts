import { explain } from '@gatehouse/lib/errors.ts';
import type { Log } from '@gatehouse/lib/log.ts';
import { createLocalJWKSet, errors, type JSONWebKeySet, type JWTPayload, jwtVerify } from 'jose';
import type { Caller, Role } from '../app/app.ts';
import { CoreError } from '../errors.ts';
import type { TokenAuthority } from './authenticator.ts';

/** What tokens must be made for to be of use here. */
export const TOKEN_AUDIENCE = 'gatehouse-core';

/** A cluster whose service accounts may call. */
export interface ClusterIssuer {
  readonly cluster: string;
  /** Gives the issuer's name and its keys as they are now. */
  readonly discover: () => Promise<{ issuer: string; keys: JSONWebKeySet }>;
  /** Which service accounts may call, as `namespace:name`, and what for. */
  readonly roles: ReadonlyMap<string, Role>;
}

/** API servers rotate their keys seldom; an unknown key is asked for again, but not more often than this. */
const DISCOVERY_INTERVAL_MS = 10_000;
/** A key that was taken out of use, perhaps since it leaked, is trusted for no longer than this. */
const KEYS_LIFETIME_MS = 600_000;
/** Clocks of nodes differ by seconds. */
const CLOCK_TOLERANCE_SECONDS = 10;

/** Verifies projected service-account tokens with the keys of their cluster, without asking its API server each time. */
export function serviceAccounts(cluster: ClusterIssuer, log: Log): TokenAuthority {
  let known: { issuer: string; keys: ReturnType<typeof createLocalJWKSet> } | undefined;
  let asked = { at: Number.NEGATIVE_INFINITY, answer: Promise.resolve() };

  /** Whoever asks while an answer is on its way, or is fresh, gets that answer. */
  function discover(): Promise<void> {
    if (Date.now() - asked.at >= DISCOVERY_INTERVAL_MS) {
      const answer = cluster.discover().then(({ issuer, keys }) => {
        known = { issuer, keys: createLocalJWKSet(keys) };
      });
      asked = { at: Date.now(), answer };
    }
    return asked.answer;
  }

  async function verify(token: string): Promise<JWTPayload> {
    if (!known) await discover();
    else if (Date.now() - asked.at > KEYS_LIFETIME_MS) {
      // An API server that is away for a moment must not cut off everybody.
      await discover().catch((err: unknown) => log.warn({ err }, 'keys of the cluster not renewed'));
    }
    if (!known) throw new Error(`the issuer of cluster ${cluster.cluster} is not known`);
    const { issuer, keys } = known;
    const { payload } = await jwtVerify(token, keys, {
      issuer,
      audience: TOKEN_AUDIENCE,
      clockTolerance: CLOCK_TOLERANCE_SECONDS,
      requiredClaims: ['exp', 'sub'],
    });
    return payload;
  }

  return {
    async callerOf(token) {
      let payload: JWTPayload;
      try {
        payload = await verify(token).catch(async (error: unknown) => {
          if (!(error instanceof errors.JWKSNoMatchingKey)) throw error;
          await discover();
          return verify(token);
        });
      } catch (error) {
        log.info({ reason: explain(error), cluster: cluster.cluster }, 'token refused');
        return undefined;
      }
      return toCaller(cluster, payload);
    },
  };
}

/** The claims that Kubernetes puts into projected tokens; the node since 1.30. */
interface KubernetesClaims {
  readonly namespace?: string;
  readonly serviceaccount?: { readonly name?: string };
  readonly node?: { readonly name?: string };
}

function toCaller(cluster: ClusterIssuer, payload: JWTPayload): Caller {
  const claims = (payload['kubernetes.io'] ?? {}) as KubernetesClaims;
  const account = `${claims.namespace}:${claims.serviceaccount?.name}`;
  const role = cluster.roles.get(account);
  switch (role) {
    case undefined:
      throw new CoreError(
        'forbidden',
        `service account ${account} of cluster ${cluster.cluster} has no role here`,
      );
    case 'admin':
    case 'uploader':
      return { role, name: `${cluster.cluster}/${account}` };
    case 'webhook':
      return { role, cluster: cluster.cluster };
    case 'agent': {
      const node = claims.node?.name;
      if (node === undefined) {
        throw new CoreError('forbidden', `the token of ${account} does not say which node it is for`, {
          hint: 'Agents must use the projected token of their pod, on Kubernetes 1.30 or newer.',
        });
      }
      return { role, cluster: cluster.cluster, node };
    }
  }
}
