import { explain } from '@gatehouse/lib/errors.ts';
import { type ApiAccess, askApiServer } from '@gatehouse/lib/own-cluster.ts';
import { type DockerConfig, parseDockerConfig } from '@gatehouse/registry';
import type { RuntimeContainer } from './runtimes/runtime.ts';

/** A pod of this node, as its container names it. */
export type Pod = Pick<RuntimeContainer, 'namespace' | 'pod' | 'podUid'>;

/** What was found, and why there is not more. */
export interface FoundSecrets {
  readonly configs: readonly DockerConfig[];
  readonly problems: readonly string[];
}

/** Copies of one pod have the same secrets: a few are as good as all. */
const MAX_PODS = 5;
/** A pod with more was not written by people. */
const MAX_SECRETS = 20;
/** What a Secret of a type has, and under which key. */
const forms: Readonly<Record<string, { key: string; form: 'config' | 'legacy' }>> = {
  'kubernetes.io/dockerconfigjson': { key: '.dockerconfigjson', form: 'config' },
  'kubernetes.io/dockercfg': { key: '.dockercfg', form: 'legacy' },
};

interface Found {
  readonly metadata?: { readonly uid?: string };
  readonly spec?: { readonly imagePullSecrets?: readonly { readonly name?: string }[] };
  readonly type?: string;
  readonly data?: Readonly<Record<string, string>>;
}

/** The pull secrets of pods, as far as the agent may read them: by `get` alone, so it has to know their names. */
export async function pullSecretsOf(pods: readonly Pod[], access?: ApiAccess): Promise<FoundSecrets> {
  const configs: DockerConfig[] = [];
  const problems: string[] = [];
  const wanted = new Set<string>();
  for (const { namespace, pod, podUid } of pods.filter((each) => each.pod !== '').slice(0, MAX_PODS)) {
    const at = `/api/v1/namespaces/${encodeURIComponent(namespace)}`;
    const found = await get(
      `${at}/pods/${encodeURIComponent(pod)}`,
      `the pod ${namespace}/${pod}`,
      problems,
      access,
    );
    // Another pod may have the name by now, and may have other secrets.
    if (found?.metadata?.uid !== podUid) continue;
    for (const { name } of found.spec?.imagePullSecrets?.slice(0, MAX_SECRETS) ?? []) {
      if (name) wanted.add(`${at}/secrets/${encodeURIComponent(name)}`);
    }
  }
  for (const path of wanted) {
    const title = `the Secret ${path.split('/')[4]}/${path.split('/')[6]}`;
    const secret = await get(path, title, problems, access);
    if (!secret) continue;
    const { key, form } = forms[secret.type ?? ''] ?? {};
    const content = secret.data?.[key ?? ''];
    if (content === undefined || form === undefined) problems.push(`${title} is none for registries`);
    else configs.push(...parsed(content, title, form, problems));
  }
  return { configs, problems };
}

function parsed(
  content: string,
  title: string,
  form: 'config' | 'legacy',
  problems: string[],
): readonly DockerConfig[] {
  try {
    return [parseDockerConfig(Buffer.from(content, 'base64').toString('utf8'), title, form)];
  } catch (error) {
    problems.push(explain(error));
    return [];
  }
}

async function get(
  path: string,
  title: string,
  problems: string[],
  access: ApiAccess | undefined,
): Promise<Found | undefined> {
  try {
    const { status, body } = await askApiServer(path, access);
    if (status === 200) return body as Found;
    problems.push(
      status === 403
        ? `the agent may not read ${title}: allow it in the ClusterRole gatehouse-agent-pull-secrets`
        : `${title}: the API server answers ${status}`,
    );
  } catch (error) {
    problems.push(`${title}: ${explain(error)}`);
  }
  return undefined;
}
