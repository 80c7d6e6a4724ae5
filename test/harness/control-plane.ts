import { mkdtempDisposable } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { Component, type ComponentSpec, type Place } from './component.ts';
import { apiServerSpec, auditLogOf, controllerManagerSpec, etcdSpec } from './control-plane-servers.ts';
import { type Credentials, createCredentials } from './credentials.ts';
import { createKubectl, type Kubectl } from './kubectl.ts';
import { reserveLoopbackPort } from './loopback-port.ts';
import { need } from './tools.ts';

/** A Kubernetes API without nodes: what informers, webhooks and token checks need. */
export interface ControlPlane extends Kubectl, AsyncDisposable {
  /** The URL of the API server, which is the issuer of its service-account tokens, too. */
  readonly address: string;
  /** The administrator's, a file. */
  readonly kubeconfig: string;
  /** The certificate authority of the API server, a PEM file. */
  readonly authority: string;
  /** JSON Lines, one for each request. */
  readonly auditLog: string;
  readonly kubeconfigFor: Credentials['kubeconfigFor'];
}

export interface ControlPlaneOptions {
  /**
   * Runs the controllers, too: without them there are no service accounts, so no pod can be made, and a deployment
   * has no replica sets.
   */
  readonly controllers?: boolean;
}

/** Ends with the harness, even where that is killed. */
const here: Place = { prefix: ['setpriv', '--pdeathsig', 'KILL', '--'], forks: false };

/** No node is there to reach a Service; the range for benchmarks (RFC 2544) belongs to nobody's network. */
const SERVICE_NETWORK = '198.19.0.0/24';

/** Starts etcd and an API server on a port of the loopback; needs no root. */
export async function startControlPlane(options: ControlPlaneOptions = {}): Promise<ControlPlane> {
  const { etcd, kube } = await need('etcd', 'kube', 'openssl');
  await using started = new AsyncDisposableStack();
  const { path: folder } = started.use(await mkdtempDisposable(path.join(tmpdir(), 'gatehouse-')));
  const start = async (spec: ComponentSpec): Promise<void> => {
    const component = await Component.start(spec, here, folder);
    started.defer(() => component.kill());
  };

  const startApiServer = async (): Promise<{ address: string; credentials: Credentials }> => {
    await using reserved = await reserveLoopbackPort();
    const address = `https://127.0.0.1:${reserved.port}`;
    const names = ['IP:127.0.0.1', 'DNS:localhost'];
    const credentials = await createCredentials({ folder, cluster: path.basename(folder), address, names });
    const flags = {
      'bind-address': '127.0.0.1',
      'advertise-address': '127.0.0.1',
      'secure-port': String(reserved.port),
      'permit-port-sharing': 'true',
      // An address of the loopback is of no use in the endpoints of the Service `kubernetes`, and refused there.
      'endpoint-reconciler-type': 'none',
    };
    await start(
      await apiServerSpec({
        kube,
        folder,
        credentials,
        issuer: address,
        serviceNetwork: SERVICE_NETWORK,
        flags,
      }),
    );
    return { address, credentials };
  };

  await start(etcdSpec(etcd, folder));
  const { address, credentials } = await startApiServer();
  if (options.controllers) await start(await controllerManagerSpec(kube, credentials));
  const running = started.move();
  return {
    address,
    kubeconfig: credentials.kubeconfig,
    authority: credentials.authority.certificate,
    auditLog: auditLogOf(folder),
    kubeconfigFor: credentials.kubeconfigFor,
    ...createKubectl(kube, credentials.kubeconfig, folder),
    [Symbol.asyncDispose]: () => running.disposeAsync(),
  };
}
