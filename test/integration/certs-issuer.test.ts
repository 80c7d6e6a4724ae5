import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import {
  configMapPublisher,
  connectKubernetes,
  type Kubernetes,
  type ObjectName,
  RENEW_ANNOTATION,
  secretCertificate,
  startIssuer,
  webhookPublisher,
} from '@gatehouse/certs';
import { createLog, type Log, noLog } from '@gatehouse/lib/log.ts';
import {
  AdmissionregistrationV1Api,
  CoordinationV1Api,
  CoreV1Api,
  KubeConfig,
} from '@kubernetes/client-node';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type ControlPlane, startControlPlane } from '../harness/control-plane.ts';
import { eventually } from '../harness/wait.ts';

/** Short enough for a test, long enough for a busy machine to renew in time. */
const leaseTiming = { duration: 3_000, retry: 500 };
const schedule = { lifetime: 3_600_000, settling: 2_000 };
const USER = 'gatehouse-webhook';

let plane: ControlPlane;
/** Limited to what `startIssuer` says that it needs. */
let kubernetes: Kubernetes;
let limited: string;
let admin: { core: CoreV1Api; admission: AdmissionregistrationV1Api; coordination: CoordinationV1Api };

beforeAll(async () => {
  plane = await startControlPlane();
  const config = new KubeConfig();
  config.loadFromFile(plane.kubeconfig);
  admin = {
    core: config.makeApiClient(CoreV1Api),
    admission: config.makeApiClient(AdmissionregistrationV1Api),
    coordination: config.makeApiClient(CoordinationV1Api),
  };
  limited = await plane.kubeconfigFor({ user: USER });
  kubernetes = await connectKubernetes(limited);
});

afterAll(() => plane[Symbol.asyncDispose]());

/** A namespace with what one webhook's certificates have to do with, all objects by this name. */
async function prepare(
  name: string,
  options: { readonly mayCreate: boolean } = { mayCreate: true },
): Promise<void> {
  const rule = (apiGroup: string, resource: string, verbs: string[]) => ({
    apiGroups: [apiGroup],
    resources: [resource],
    resourceNames: [name],
    verbs,
  });
  const admission = 'admissionregistration.k8s.io';
  const roles = [
    rule('', 'secrets', ['get', 'watch', 'patch']),
    rule('', 'configmaps', ['get', 'watch', 'patch']),
    rule('coordination.k8s.io', 'leases', ['get', 'patch']),
  ];
  const create = [
    { apiGroups: [''], resources: ['secrets', 'configmaps'], verbs: ['create'] },
    { apiGroups: ['coordination.k8s.io'], resources: ['leases'], verbs: ['create'] },
  ];
  const clusterRoles = [
    rule(admission, 'validatingwebhookconfigurations', ['get', 'watch', 'patch']),
    rule(admission, 'mutatingwebhookconfigurations', ['get', 'watch', 'patch']),
  ];
  const rbac = 'rbac.authorization.k8s.io';
  const metadata = { name, namespace: name };
  const subjects = [{ apiGroup: rbac, kind: 'User', name: USER }];
  await plane.apply([
    { apiVersion: 'v1', kind: 'Namespace', metadata: { name } },
    {
      apiVersion: `${rbac}/v1`,
      kind: 'Role',
      metadata,
      rules: options.mayCreate ? [...roles, ...create] : roles,
    },
    {
      apiVersion: `${rbac}/v1`,
      kind: 'RoleBinding',
      metadata,
      subjects,
      roleRef: { apiGroup: rbac, kind: 'Role', name },
    },
    { apiVersion: `${rbac}/v1`, kind: 'ClusterRole', metadata: { name }, rules: clusterRoles },
    {
      apiVersion: `${rbac}/v1`,
      kind: 'ClusterRoleBinding',
      metadata: { name },
      subjects,
      roleRef: { apiGroup: rbac, kind: 'ClusterRole', name },
    },
    ...['Validating', 'Mutating'].map((kind) => ({
      apiVersion: `${admission}/v1`,
      kind: `${kind}WebhookConfiguration`,
      metadata: { name },
      webhooks: ['pods', 'workloads'].map((what) => ({
        name: `${what}.gatehouse.dev`,
        admissionReviewVersions: ['v1'],
        sideEffects: 'None',
        clientConfig: { service: { name, namespace: name, path: `/${what}` } },
      })),
    })),
  ]);
}

interface Line {
  readonly level: string;
  readonly msg: string;
  readonly step?: string;
  readonly err?: { readonly code: string };
}

/** A log whose lines can be looked at. */
function recordedLog(): { log: Log; lines: Line[] } {
  const lines: Line[] = [];
  return {
    lines,
    log: createLog('certs', 'info', { write: (text) => lines.push(JSON.parse(text) as Line) }),
  };
}

function issuerOf(name: string, log: Log = noLog): AsyncDisposable {
  return startIssuer({
    kubernetes,
    secret: at(name),
    names: [`${name}.${name}.svc`],
    publishers: [
      webhookPublisher(kubernetes, 'validating', name),
      webhookPublisher(kubernetes, 'mutating', name),
      configMapPublisher(kubernetes, { ...at(name), key: 'ca.crt' }),
    ],
    log,
    schedule,
    leaseTiming,
  });
}

function at(name: string): ObjectName {
  return { namespace: name, name };
}

/** What is stored and published, as the administrator sees it. */
async function look(name: string) {
  const [secret, configMap, validating, mutating, lease] = await Promise.all([
    admin.core.readNamespacedSecret(at(name)),
    admin.core.readNamespacedConfigMap(at(name)),
    admin.admission.readValidatingWebhookConfiguration({ name }),
    admin.admission.readMutatingWebhookConfiguration({ name }),
    admin.coordination.readNamespacedLease(at(name)),
  ]);
  const decode = (text = ''): string => Buffer.from(text, 'base64').toString();
  const configs = [...(validating.webhooks ?? []), ...(mutating.webhooks ?? [])].map(
    ({ clientConfig }) => clientConfig,
  );
  return {
    type: secret.type,
    cert: decode(secret.data?.['tls.crt']),
    bundle: decode(secret.data?.['ca.crt']),
    published: [configMap.data?.['ca.crt'], ...configs.map(({ caBundle }) => decode(caBundle))],
    paths: configs.map(({ service }) => service?.path),
    holder: lease.spec?.holderIdentity,
  };
}

type Look = Awaited<ReturnType<typeof look>>;

async function eventuallySee(name: string, what: string, check: (seen: Look) => void): Promise<Look> {
  return eventually(
    async () => {
      const seen = await look(name);
      check(seen);
      return seen;
    },
    { what },
  );
}

function expectPublished({ bundle, published }: Look): void {
  expect(bundle).toContain('BEGIN CERTIFICATE');
  expect(published).toEqual(Array.from({ length: 5 }, () => bundle));
}

const countCertificates = (text: string): number => text.split('BEGIN CERTIFICATE').length - 1;
const steps = (lines: readonly Line[]): string[] => lines.flatMap(({ step }) => step ?? []);

describe('an issuer', () => {
  it('issues, publishes everywhere and gives its Lease back, with no more rights than it says', async () => {
    await prepare('first');
    const { log, lines } = recordedLog();
    {
      await using _ = issuerOf('first', log);
      const seen = await eventuallySee('first', 'published certificates', expectPublished);
      expect(seen.type).toBe('Opaque');
      expect(seen.paths).toEqual(['/pods', '/workloads', '/pods', '/workloads']);
      expect(seen.holder).toBeDefined();
    }
    expect((await look('first')).holder).toBeUndefined();
    expect(lines.filter(({ level }) => level !== 'info')).toEqual([]);
  });

  it('needs no right to create what the manifests hold empty', async () => {
    await prepare('given', { mayCreate: false });
    const metadata = { name: 'given', namespace: 'given', labels: { owner: 'somebody' } };
    await plane.apply([
      { apiVersion: 'v1', kind: 'Secret', metadata },
      { apiVersion: 'v1', kind: 'ConfigMap', metadata, data: { other: 'kept' } },
      { apiVersion: 'coordination.k8s.io/v1', kind: 'Lease', metadata },
    ]);
    const { log, lines } = recordedLog();
    await using _ = issuerOf('given', log);
    await eventuallySee('given', 'published certificates', expectPublished);
    const { stdout } = await plane.kubectl(['get', '-n', 'given', 'secret,configmap', 'given', '-o', 'json']);
    expect(JSON.parse(stdout)).toMatchObject({
      items: [{ metadata: { labels: { owner: 'somebody' } } }, { data: { other: 'kept' } }],
    });
    expect(lines.filter(({ level }) => level !== 'info')).toEqual([]);
  });

  it('says what it may not do, and goes on as soon as it may', async () => {
    const { log, lines } = recordedLog();
    await using _ = issuerOf('later', log);
    await eventually(() => expect(lines.map(({ err }) => err?.code)).toContain('api_denied'), {
      what: 'a refusal',
    });
    await prepare('later');
    await eventuallySee('later', 'published certificates', expectPublished);
  });

  it('says that a webhook configuration is missing, and publishes there once it exists', async () => {
    await prepare('missing');
    const remove = ['delete', 'validatingwebhookconfiguration', 'missing'];
    expect((await plane.kubectl(remove)).code).toBe(0);
    const { log, lines } = recordedLog();
    await using _ = issuerOf('missing', log);
    await eventually(() => expect(lines.map(({ err }) => err?.code)).toContain('target_missing'), {
      what: 'a complaint',
    });
    await prepare('missing');
    await eventuallySee('missing', 'published certificates', expectPublished);
  });
});

describe('what somebody does to an issuer', () => {
  it('caBundle and ConfigMap that are written over come back', async () => {
    await prepare('overwritten');
    await using _ = issuerOf('overwritten');
    await eventuallySee('overwritten', 'published certificates', expectPublished);
    // What a tool does that applies a manifest with a caBundle in it.
    await plane.kubectl([
      ...['patch', 'validatingwebhookconfiguration', 'overwritten', '--type=json', '-p'],
      JSON.stringify([{ op: 'replace', path: '/webhooks/1/clientConfig/caBundle', value: '' }]),
    ]);
    await eventuallySee('overwritten', 'the caBundle', expectPublished);
    await plane.kubectl(['delete', '-n', 'overwritten', 'configmap', 'overwritten']);
    await eventuallySee('overwritten', 'the ConfigMap', expectPublished);
  });

  it('a Secret that is deleted comes back with the same certificate, which is then renewed in peace', async () => {
    await prepare('deleted');
    const { log, lines } = recordedLog();
    await using _ = issuerOf('deleted', log);
    const before = await eventuallySee('deleted', 'published certificates', expectPublished);
    await plane.kubectl(['delete', '-n', 'deleted', 'secret', 'deleted']);
    await eventuallySee('deleted', 'both authorities', (seen) => {
      expectPublished(seen);
      expect(countCertificates(seen.bundle)).toBe(2);
      expect(seen.bundle).toContain(before.bundle);
      expect(seen.cert).toBe(before.cert);
    });
    await eventuallySee('deleted', 'the end of the rotation', (seen) => {
      expectPublished(seen);
      expect(countCertificates(seen.bundle)).toBe(1);
      expect(seen.cert).not.toBe(before.cert);
    });
    expect(steps(lines)).toEqual(['issue', 'stage', 'switch', 'retire']);
  });

  it('an annotation on the Secret makes it renew, once', async () => {
    await prepare('annotated');
    const { log, lines } = recordedLog();
    await using _ = issuerOf('annotated', log);
    const before = await eventuallySee('annotated', 'published certificates', expectPublished);
    await plane.kubectl(['annotate', '-n', 'annotated', 'secret', 'annotated', `${RENEW_ANNOTATION}=leak`]);
    await eventuallySee('annotated', 'the end of the rotation', (seen) => {
      expectPublished(seen);
      expect(countCertificates(seen.bundle)).toBe(1);
      expect(seen.cert).not.toBe(before.cert);
    });
    expect(steps(lines)).toEqual(['issue', 'stage', 'switch', 'retire']);
  });
});

describe('a replica', () => {
  it('waits for the first certificate, and keeps it though the Secret goes away', async () => {
    await prepare('replica');
    const { log, lines } = recordedLog();
    const waiting = secretCertificate({
      kubernetes,
      secret: at('replica'),
      log,
      signal: AbortSignal.timeout(30_000),
    });
    await eventually(() => expect(lines.map(({ msg }) => msg)).toContain('no certificate there'), {
      what: 'a wait',
    });
    {
      await using _ = issuerOf('replica');
      await eventuallySee('replica', 'published certificates', expectPublished);
    }
    await using serving = await waiting;
    const { cert, expiresAt } = serving.current();
    expect(cert).toBe((await look('replica')).cert);
    expect(expiresAt.authority).toEqual(expiresAt.leaf);
    await plane.kubectl(['delete', '-n', 'replica', 'secret', 'replica']);
    const told = () => lines.filter(({ msg }) => msg === 'no certificate there').length;
    await eventually(() => expect(told()).toBe(2), { what: 'the replica to see it' });
    expect(serving.current().cert).toBe(cert);
  });

  it('stops waiting when it is told to', async () => {
    const reason = new Error('stopped');
    const options = { kubernetes, secret: at('nowhere'), log: noLog };
    await expect(secretCertificate({ ...options, signal: AbortSignal.abort(reason) })).rejects.toBe(reason);
    const stopping = new AbortController();
    const waiting = secretCertificate({ ...options, signal: stopping.signal });
    stopping.abort(reason);
    await expect(waiting).rejects.toBe(reason);
  });
});

describe('of two replicas', () => {
  /** An issuer in a process of its own, which can die. */
  function startProcess(name: string): { child: ChildProcess; lines: Line[] } {
    const program = `
      import { configMapPublisher, connectKubernetes, startIssuer } from '@gatehouse/certs';
      import { createLog } from '@gatehouse/lib/log.ts';
      const kubernetes = await connectKubernetes(${JSON.stringify(limited)});
      const secret = ${JSON.stringify(at(name))};
      startIssuer({
        kubernetes, secret, names: ['localhost'], log: createLog('certs', 'info'),
        publishers: [configMapPublisher(kubernetes, { ...secret, key: 'ca.crt' })],
        schedule: ${JSON.stringify(schedule)}, leaseTiming: ${JSON.stringify(leaseTiming)},
      });`;
    const child = spawn(process.execPath, ['--input-type=module', '-e', program], {
      cwd: import.meta.dirname,
      stdio: ['ignore', 'inherit', 'pipe'],
    });
    const lines: Line[] = [];
    createInterface(child.stderr).on('line', (line) => lines.push(JSON.parse(line) as Line));
    return { child, lines };
  }

  const holds = ({ lines }: { lines: Line[] }): boolean => lines.some(({ msg }) => msg === 'lease taken');

  async function kill({ child }: { child: ChildProcess }): Promise<void> {
    child.kill('SIGKILL');
    if (child.exitCode === null && child.signalCode === null) await once(child, 'exit');
  }

  it('one issues; when it is killed, the other takes over and issues nothing anew', async () => {
    await prepare('killed');
    const [one, two] = [startProcess('killed'), startProcess('killed')];
    try {
      const first = await eventuallySee('killed', 'certificates', ({ published, bundle }) =>
        expect(published[0]).toBe(bundle),
      );
      const [leader, other] = holds(one) ? [one, two] : [two, one];
      expect([leader, other].map(holds)).toEqual([true, false]);
      await kill(leader);
      await plane.kubectl(['delete', '-n', 'killed', 'configmap', 'killed']);
      const second = await eventuallySee('killed', 'the other to mend', ({ published, bundle }) =>
        expect(published[0]).toBe(bundle),
      );
      expect(holds(other)).toBe(true);
      expect(second.holder).not.toBe(first.holder);
      expect(second.cert).toBe(first.cert);
      expect([one, two].flatMap(({ lines }) => steps(lines))).toEqual(['issue']);
    } finally {
      await Promise.all([one, two].map(kill));
    }
  });

  it('the other follows at once where the first one stops in order', async () => {
    await prepare('stopped');
    const one = recordedLog();
    const first = issuerOf('stopped', one.log);
    await eventually(() => expect(holds(one)).toBe(true), { what: 'the first to lead' });
    const other = recordedLog();
    await using _ = issuerOf('stopped', other.log);
    await first[Symbol.asyncDispose]();
    const timeout = leaseTiming.duration - leaseTiming.retry;
    await eventually(() => expect(holds(other)).toBe(true), { what: 'the other to lead', timeout });
  });

  it('the holder stops its work when it cannot renew, and begins again when it can', async () => {
    await prepare('cut-off');
    const { log, lines } = recordedLog();
    await using _ = issuerOf('cut-off', log);
    await eventuallySee('cut-off', 'published certificates', expectPublished);
    await plane.kubectl(['delete', 'rolebinding', '-n', 'cut-off', 'cut-off']);
    await eventually(() => expect(lines.map(({ msg }) => msg)).toContain('lease lost'), {
      what: 'the Lease to be lost',
    });
    await prepare('cut-off');
    const taken = () => lines.filter(({ msg }) => msg === 'lease taken').length;
    await eventually(() => expect(taken()).toBe(2), { what: 'the Lease to be taken again' });
  });
});
