import type { Log } from '@gatehouse/lib/log.ts';
import type {
  KubernetesObject,
  V1ConfigMap,
  V1MutatingWebhookConfiguration,
  V1ValidatingWebhookConfiguration,
} from '@kubernetes/client-node';
import type { ApiObject, ObjectName } from './api-object.ts';
import { CertsError } from './errors.ts';
import { follow } from './follow.ts';
import type { Kubernetes } from './kubernetes.ts';

/** A place from which clients take the authorities that they trust. All calls throw CertsError. */
export interface Publisher {
  /** For messages, such as `ConfigMap gatehouse-system/core-authorities`. */
  readonly title: string;
  /** Whether the clients of this place get exactly this bundle (PEM). */
  holds(bundle: string): Promise<boolean>;
  write(bundle: string): Promise<void>;
  /** Calls back, at least, whenever the place changes. */
  follow(onChange: () => void, log: Log): AsyncDisposable;
}

/** The `caBundle` of every webhook of a configuration, with which the API server checks whom it calls. */
export function webhookPublisher(
  kubernetes: Kubernetes,
  kind: 'validating' | 'mutating',
  name: string,
): Publisher {
  const object: ApiObject<WebhookConfiguration> =
    kind === 'validating' ? kubernetes.validatingWebhooks(name) : kubernetes.mutatingWebhooks(name);
  return {
    ...followed(object),
    async holds(bundle) {
      const { webhooks = [] } = await existing(object);
      return webhooks.every(({ clientConfig }) => clientConfig.caBundle === encode(bundle));
    },
    async write(bundle) {
      const { metadata, webhooks = [] } = await existing(object);
      await object.patch({
        // Without the version, a webhook that was removed in between would come back as a stump.
        metadata: { resourceVersion: metadata?.resourceVersion },
        webhooks: webhooks.map((each) => ({ name: each.name, clientConfig: { caBundle: encode(bundle) } })),
      });
    },
  };
}

type WebhookConfiguration = V1ValidatingWebhookConfiguration | V1MutatingWebhookConfiguration;

/** One key of a ConfigMap, which clients mount; the ConfigMap is made if it is missing. */
export function configMapPublisher(
  kubernetes: Kubernetes,
  at: ObjectName & { readonly key: string },
): Publisher {
  const object = kubernetes.configMap(at);
  const dataOf = (bundle: string): Pick<V1ConfigMap, 'data'> => ({ data: { [at.key]: bundle } });
  return {
    ...followed(object),
    async holds(bundle) {
      const found = await object.read();
      return found?.data?.[at.key] === bundle;
    },
    async write(bundle) {
      if (await object.read()) await object.patch(dataOf(bundle));
      else await object.create(dataOf(bundle));
    },
  };
}

function followed<T extends KubernetesObject>(object: ApiObject<T>): Pick<Publisher, 'title' | 'follow'> {
  return { title: object.title, follow: (onChange, log) => follow(object, onChange, log) };
}

async function existing<T extends KubernetesObject>(object: ApiObject<T>): Promise<T> {
  const found = await object.read();
  if (found) return found;
  throw new CertsError('target_missing', `${object.title} does not exist`, {
    hint: 'Apply its manifest, or leave it out of what the component publishes to.',
  });
}

function encode(bundle: string): string {
  return Buffer.from(bundle).toString('base64');
}
