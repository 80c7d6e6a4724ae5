import type { IncomingMessage } from 'node:http';
import { createServer, get, type Server } from 'node:https';
import type { AddressInfo } from 'node:net';
import { json } from 'node:stream/consumers';
import { setTimeout as delay } from 'node:timers/promises';
import type { TLSSocket } from 'node:tls';
import {
  configMapPublisher,
  connectKubernetes,
  type Kubernetes,
  RENEW_ANNOTATION,
  type ServingCertificate,
  secretCertificate,
  startIssuer,
  webhookPublisher,
} from '@gatehouse/certs';
import { explain } from '@gatehouse/lib/errors.ts';
import { noLog } from '@gatehouse/lib/log.ts';
import { CoreV1Api, KubeConfig } from '@kubernetes/client-node';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { type ControlPlane, startControlPlane } from '../harness/control-plane.ts';
import { eventually } from '../harness/wait.ts';

/** Two seconds are more than this API server, and the clients below, take to learn of a new bundle. */
const schedule = { lifetime: 24_000, settling: 2_000 };
const leaseTiming = { duration: 3_000, retry: 500 };
const REPLICAS = 3;
const secret = { namespace: 'default', name: 'webhook-tls' };
const authorities = { namespace: 'default', name: 'webhook-authorities', key: 'ca.crt' };

let plane: ControlPlane;
let kubernetes: Kubernetes;

beforeAll(async () => {
  plane = await startControlPlane();
  kubernetes = await connectKubernetes(plane.kubeconfig);
});

afterAll(() => plane[Symbol.asyncDispose]());

/** A webhook that allows everything, on a new connection each time, since only those show what is served now. */
async function startReplica(serving: ServingCertificate): Promise<{ server: Server; port: number }> {
  const server = createServer(serving.current(), (request, response) => {
    response.setHeader('connection', 'close');
    response.setHeader('content-type', 'application/json');
    allow(request).then(
      (review) => response.end(JSON.stringify(review)),
      () => response.destroy(),
    );
  });
  serving.onChange((served) => server.setSecureContext(served));
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return { server, port: (server.address() as AddressInfo).port };
}

/** The answer to the API server's review; a client that only wants to see the certificate sends none. */
async function allow(request: IncomingMessage): Promise<object> {
  const review =
    request.method === 'POST' ? ((await json(request)) as { request: { uid: string } }) : undefined;
  const response = { uid: review?.request.uid, allowed: true };
  return { apiVersion: 'admission.k8s.io/v1', kind: 'AdmissionReview', response };
}

/** The serial number of the certificate that a client was shown which trusts `ca` alone. */
function visit(port: number, ca: string): Promise<string> {
  return new Promise((resolve, reject) => {
    get({ host: '127.0.0.1', port, ca, agent: false }, (response) => {
      const { serialNumber } = (response.socket as TLSSocket).getPeerCertificate();
      response.resume().on('end', () => resolve(serialNumber));
    }).on('error', reject);
  });
}

/** A webhook for each replica, each of which has to agree before a ConfigMap may be written. */
function configurationOf(ports: readonly number[]): object {
  return {
    apiVersion: 'admissionregistration.k8s.io/v1',
    kind: 'ValidatingWebhookConfiguration',
    metadata: { name: 'webhook' },
    webhooks: ports.map((port, index) => ({
      name: `replica-${index}.gatehouse.dev`,
      admissionReviewVersions: ['v1'],
      sideEffects: 'None',
      failurePolicy: 'Fail',
      clientConfig: { url: `https://127.0.0.1:${port}/` },
      rules: [{ apiGroups: [''], apiVersions: ['v1'], operations: ['CREATE'], resources: ['configmaps'] }],
      objectSelector: { matchLabels: { judged: 'yes' } },
    })),
  };
}

it('neither the API server nor any client meets a certificate it does not accept, through rotations and losses', async () => {
  await using started = new AsyncDisposableStack();
  started.use(
    startIssuer({
      kubernetes,
      secret,
      names: ['127.0.0.1'],
      publishers: [
        webhookPublisher(kubernetes, 'validating', 'webhook'),
        configMapPublisher(kubernetes, authorities),
      ],
      log: noLog,
      schedule,
      leaseTiming,
    }),
  );

  const ports: number[] = [];
  for (let replica = 0; replica < REPLICAS; replica++) {
    const serving = started.use(
      await secretCertificate({ kubernetes, secret, log: noLog, signal: AbortSignal.timeout(30_000) }),
    );
    const { server, port } = await startReplica(serving);
    started.defer(() => {
      server.close();
    });
    ports.push(port);
  }
  await plane.apply([configurationOf(ports)]);

  const config = new KubeConfig();
  config.loadFromFile(plane.kubeconfig);
  const core = config.makeApiClient(CoreV1Api);
  const judged = { metadata: { generateName: 'judged-', labels: { judged: 'yes' } } };
  const review = () => core.createNamespacedConfigMap({ namespace: 'default', dryRun: 'All', body: judged });
  await eventually(review, { what: 'the first review' });

  const ending = new AbortController();
  const failures: string[] = [];
  const shown = new Set<string>();
  let reviews = 0;
  let visits = 0;
  const untilEnd = async (act: () => Promise<unknown>, pause: number): Promise<void> => {
    while (!ending.signal.aborted) {
      await act().catch((error: unknown) => failures.push(`${new Date().toISOString()} ${explain(error)}`));
      await delay(pause);
    }
  };
  const visitAll = async (): Promise<void> => {
    const published = await core.readNamespacedConfigMap(authorities);
    const ca = published.data?.[authorities.key] ?? '';
    // As late as a client may be: it goes on with a bundle that is getting old.
    for (const lateUntil = Date.now() + schedule.settling / 2; Date.now() < lateUntil; await delay(20)) {
      for (const port of ports) shown.add(await visit(port, ca));
      visits++;
    }
  };
  const load = [
    untilEnd(async () => {
      await review();
      reviews++;
    }, 20),
    untilEnd(visitAll, 0),
  ];

  const until = (count: number) =>
    eventually(() => expect(shown.size).toBeGreaterThanOrEqual(count), { what: `${count} certificates` });
  // The second comes by itself, after two thirds of the lifetime; the third is asked for.
  await until(2);
  await plane.kubectl(['annotate', 'secret', secret.name, `${RENEW_ANNOTATION}=now`]);
  await until(3);
  // The fourth follows from a loss, the fifth from damage.
  await plane.kubectl(['delete', 'secret', secret.name]);
  await until(4);
  await plane.kubectl(['patch', 'secret', secret.name, '-p', '{"data":{"tls.key":null}}']);
  await until(5);
  ending.abort();
  await Promise.all(load);

  expect(failures).toEqual([]);
  expect(reviews).toBeGreaterThan(100);
  expect(visits).toBeGreaterThan(100);
});
