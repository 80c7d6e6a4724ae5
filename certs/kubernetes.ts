import type {
  Configuration,
  KubeConfig,
  V1ConfigMap,
  V1Lease,
  V1MutatingWebhookConfiguration,
  V1Secret,
  V1ValidatingWebhookConfiguration,
} from '@kubernetes/client-node';
import {
  type Address,
  type ApiObject,
  apiObject,
  type ObjectName,
  type OwnObject,
  ownObject,
} from './api-object.ts';
import { CertsError } from './errors.ts';

/** The objects of one cluster that certificates have to do with. */
export interface Kubernetes {
  secret(at: ObjectName): OwnObject<V1Secret>;
  configMap(at: ObjectName): OwnObject<V1ConfigMap>;
  lease(at: ObjectName): OwnObject<V1Lease>;
  validatingWebhooks(name: string): ApiObject<V1ValidatingWebhookConfiguration>;
  mutatingWebhooks(name: string): ApiObject<V1MutatingWebhookConfiguration>;
}

/** Named in `managedFields` of what is written, so that other tools can tell whose a field is. */
const FIELD_MANAGER = 'gatehouse-certs';
/** A request for one small object takes milliseconds; a Lease must be found out of reach before it runs out. */
const REQUEST_TIMEOUT_MS = 5_000;

/**
 * The API server that a kubeconfig file names, else the one that kubectl would take here, else the one of the cluster
 * that the process runs in. The client library takes 0.3 s and 90 MB to load, so only those who call this do.
 * Throws CertsError `file_unreadable`.
 */
export async function connectKubernetes(kubeconfig?: string): Promise<Kubernetes> {
  const client = await import('@kubernetes/client-node');
  const config = new client.KubeConfig();
  try {
    if (kubeconfig === undefined) config.loadFromDefault();
    else config.loadFromFile(kubeconfig);
    return kubernetes(client, config);
  } catch (cause) {
    throw new CertsError(
      'file_unreadable',
      `cannot use the kubeconfig ${kubeconfig ?? 'of the environment'}`,
      {
        cause,
      },
    );
  }
}

type Client = typeof import('@kubernetes/client-node');

function kubernetes(client: Client, config: KubeConfig): Kubernetes {
  const configuration = clientConfiguration(client, config);
  const core = new client.CoreV1Api(configuration);
  const coordination = new client.CoordinationV1Api(configuration);
  const admission = new client.AdmissionregistrationV1Api(configuration);
  const watcher = new client.Watch(config);
  const merge = client.setHeaderOptions('Content-Type', client.PatchStrategy.StrategicMergePatch);
  const by = { fieldManager: FIELD_MANAGER };

  return {
    secret: (at) =>
      ownObject(watcher, {
        ...inNamespace('Secret', '/api/v1', 'secrets', at),
        read: () => core.readNamespacedSecret(at),
        patch: (body) => core.patchNamespacedSecret({ ...at, ...by, body }, merge),
        create: (body) => core.createNamespacedSecret({ ...at, ...by, body }),
      }),
    configMap: (at) =>
      ownObject(watcher, {
        ...inNamespace('ConfigMap', '/api/v1', 'configmaps', at),
        read: () => core.readNamespacedConfigMap(at),
        patch: (body) => core.patchNamespacedConfigMap({ ...at, ...by, body }, merge),
        create: (body) => core.createNamespacedConfigMap({ ...at, ...by, body }),
      }),
    lease: (at) =>
      ownObject(watcher, {
        ...inNamespace('Lease', '/apis/coordination.k8s.io/v1', 'leases', at),
        read: () => coordination.readNamespacedLease(at),
        patch: (body) => coordination.patchNamespacedLease({ ...at, ...by, body }, merge),
        create: (body) => coordination.createNamespacedLease({ ...at, ...by, body }),
      }),
    validatingWebhooks: (name) =>
      apiObject(watcher, {
        ...ofCluster('ValidatingWebhookConfiguration', 'validatingwebhookconfigurations', name),
        read: () => admission.readValidatingWebhookConfiguration({ name }),
        patch: (body) => admission.patchValidatingWebhookConfiguration({ name, ...by, body }, merge),
      }),
    mutatingWebhooks: (name) =>
      apiObject(watcher, {
        ...ofCluster('MutatingWebhookConfiguration', 'mutatingwebhookconfigurations', name),
        read: () => admission.readMutatingWebhookConfiguration({ name }),
        patch: (body) => admission.patchMutatingWebhookConfiguration({ name, ...by, body }, merge),
      }),
  };
}

/** The library's own configuration, and a deadline for each request, which the library lacks. */
function clientConfiguration(client: Client, config: KubeConfig): Configuration {
  const server = config.getCurrentCluster()?.server;
  if (server === undefined) throw new Error('no cluster is chosen');
  return client.createConfiguration({
    baseServer: new client.ServerConfiguration(server, {}),
    authMethods: { default: config },
    promiseMiddleware: [
      {
        pre: async (request) => {
          request.setSignal(AbortSignal.timeout(REQUEST_TIMEOUT_MS));
          return request;
        },
        post: async (response) => response,
      },
    ],
  });
}

function inNamespace(kind: string, group: string, resource: string, at: ObjectName): Address {
  const collection = `${group}/namespaces/${at.namespace}/${resource}`;
  return { title: `${kind} ${at.namespace}/${at.name}`, collection, name: at.name };
}

function ofCluster(kind: string, resource: string, name: string): Address {
  return { title: `${kind} ${name}`, collection: `/apis/admissionregistration.k8s.io/v1/${resource}`, name };
}
