import { askApiServer } from '@gatehouse/lib/own-cluster.ts';
import type { JSONWebKeySet } from 'jose';
import type { ClusterIssuer } from './service-accounts.ts';

/**
 * Discovers the issuer of the cluster that this pod runs in. It takes no permission but the one that every service
 * account has by the cluster role system:service-account-issuer-discovery.
 */
export const discoverOwnCluster: ClusterIssuer['discover'] = async () => {
  const { issuer } = (await fetchJson('/.well-known/openid-configuration')) as { issuer: string };
  return { issuer, keys: (await fetchJson('/openid/v1/jwks')) as JSONWebKeySet };
};

async function fetchJson(path: string): Promise<unknown> {
  const { status, body } = await askApiServer(path);
  if (status === 200) return body;
  throw new Error(`the API server answered ${status} for ${path}`);
}
