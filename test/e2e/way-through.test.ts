import type { X509Certificate } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { connect } from 'node:tls';
import type { Verdict } from '@gatehouse/policies';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Image } from '../harness/images.ts';
import type { Result } from '../harness/process.ts';
import { eventually } from '../harness/wait.ts';
import { type Installation, install, type Pod } from './installation.ts';
import { startLoad } from './load.ts';

/** How long the verdict on an image may take from the start of its first pod. */
const VERDICT_WITHIN_MS = 30_000;
/** How long a new advisory may take from the end of its import until every webhook denies by it. */
const DENIAL_WITHIN_MS = 5_000;
/** A busy cluster creates a few pods a second. */
const PODS_PER_SECOND = 20;

let gatehouse: Installation;

beforeAll(async () => {
  gatehouse = await install();
  await gatehouse.cluster.apply([
    namespace('unguarded', { 'gatehouse.dev/mode': 'off' }),
    namespace('enforcing', { 'gatehouse.dev/mode': 'enforce' }),
    namespace('strict', { 'gatehouse.dev/mode': 'enforce', 'gatehouse.dev/unknown': 'deny' }),
    namespace('warned', { 'gatehouse.dev/mode': 'warn' }),
    namespace('audited', {}),
  ]);
});

afterAll(() => gatehouse?.[Symbol.asyncDispose]());

function namespace(name: string, labels: Record<string, string>): object {
  return { apiVersion: 'v1', kind: 'Namespace', metadata: { name, labels } };
}

function podSpec(image: string, changes: object = {}): object {
  return {
    terminationGracePeriodSeconds: 0,
    containers: [{ name: 'app', image, imagePullPolicy: 'IfNotPresent' }],
    ...changes,
  };
}

function podOf(name: string, image: string, changes: object = {}): object {
  return { apiVersion: 'v1', kind: 'Pod', metadata: { name }, spec: podSpec(image, changes) };
}

/** Creates an object as kubectl does it; the API server may refuse it. */
function create(namespace: string, object: object): Promise<Result> {
  return gatehouse.cluster.kubectl(['create', '-n', namespace, '-f', '-'], { input: JSON.stringify(object) });
}

async function get<T>(...words: readonly string[]): Promise<T> {
  const { stdout, stderr, code } = await gatehouse.cluster.kubectl(['get', ...words, '-o', 'json']);
  if (code !== 0) throw new Error(stderr);
  return JSON.parse(stdout) as T;
}

interface JudgedImage {
  readonly digest: string;
  readonly state: string;
  readonly packages: number;
  readonly verdict: Verdict | null;
  readonly findings: readonly {
    readonly id: string;
    readonly purl: string;
    readonly fixedIn: string | null;
  }[];
}

const judged = (image: Image): Promise<JudgedImage> =>
  gatehouse.api<JudgedImage>(`/image?name=${encodeURIComponent(image.name)}`);

function untilJudged(image: Image, timeout = VERDICT_WITHIN_MS): Promise<JudgedImage> {
  return eventually(
    async () => {
      const found = await judged(image);
      if (found.verdict) return found;
      throw new Error(`it is ${found.state}`);
    },
    { what: `the verdict on ${image.name}`, timeout },
  );
}

const byDigest = (image: Image): string =>
  `${image.name.slice(0, image.name.lastIndexOf(':'))}@${image.digest}`;

/** A review such as the API server sends it. */
function reviewOf(image: string, changes: object = {}): string {
  return JSON.stringify({
    apiVersion: 'admission.k8s.io/v1',
    kind: 'AdmissionReview',
    request: {
      uid: 'e2e-1',
      kind: { group: '', version: 'v1', kind: 'Pod' },
      resource: { group: '', version: 'v1', resource: 'pods' },
      operation: 'CREATE',
      namespace: 'enforcing',
      object: podOf('direct', image),
      ...changes,
    },
  });
}

/** What one webhook pod answers for an image, asked directly. */
async function allows(pod: Pod, image: string): Promise<boolean> {
  const { status, body } = await gatehouse.post(pod, '/validate/enforce', reviewOf(image));
  if (status !== 200) throw new Error(`${status} ${body}`);
  return (JSON.parse(body) as { response: { allowed: boolean } }).response.allowed;
}

describe('an image that runs where nobody guards', () => {
  it('is read on its node and judged within 30 s, with the findings expected of its packages', async () => {
    const { vulnerable } = gatehouse.images;
    await gatehouse.cluster.load(vulnerable);
    const began = Date.now();
    expect(await create('unguarded', podOf('vulnerable', vulnerable.name))).toMatchObject({ code: 0 });
    const found = await untilJudged(vulnerable);
    expect(Date.now() - began).toBeLessThan(VERDICT_WITHIN_MS);
    expect(found).toMatchObject({ digest: vulnerable.id, state: 'ready' });
    expect(found.packages).toBeGreaterThan(50);
    const lines = found.findings.map(({ id, purl, fixedIn }) => `${id} ${purl.split('?')[0]} ${fixedIn}`);
    expect(lines).toEqual(
      expect.arrayContaining([
        'GHSA-jpcq-cgw6-v4j6 pkg:npm/jquery@3.4.1 3.5.0',
        'GHSA-xvch-5gv4-984h pkg:npm/minimist@1.2.0 1.2.6',
        'GHSA-35jh-r3h4-6jhm pkg:npm/lodash@4.17.15 4.17.21',
        'GHSA-462w-v97r-4m45 pkg:pypi/jinja2@2.10 2.10.1',
        'PYSEC-2023-192 pkg:pypi/urllib3@1.26.4 1.26.17',
        'GO-2021-0113 pkg:golang/golang.org/x/text@v0.3.5 0.3.7',
        'DLA-4714-1 pkg:deb/debian/libmodbus5@3.1.6-2.1 3.1.6-2.1+deb12u1',
        'DLA-4678-1 pkg:deb/debian/libxfont2@1:2.0.6-1 1:2.0.6-1+deb12u1',
      ]),
    );
    expect(found.verdict).toMatchObject({ knownExploited: 1, fixable: { critical: 1 } });
  });

  it('came from the node alone: the cluster has no way out and no registry', async () => {
    const { code } = await gatehouse.cluster.exec(['getent', 'hosts', 'registry.test']);
    expect(code).not.toBe(0);
    // A verdict may be there before the kubelet tells that the container runs.
    await eventually(
      async () => {
        const pods = await get<{ items: { status: { containerStatuses: { imageID: string }[] } }[] }>(
          'pods',
          '-n',
          'unguarded',
        );
        const imageId = pods.items[0]?.status.containerStatuses[0]?.imageID;
        expect(imageId).toContain(gatehouse.images.vulnerable.digest);
      },
      { what: 'the pod to run' },
    );
  });

  it('shares its layers: another image on top of them uploads only the one that is new', async () => {
    const [agent] = await gatehouse.pods('agent');
    if (!agent) throw new Error('there is no agent');
    const count = async () => ({
      layers: await gatehouse.metric(agent, 'gatehouse_layers_total', 'result="cataloged"'),
      bytes: await gatehouse.metric(agent, 'gatehouse_uploaded_bytes_total'),
    });
    const { sibling } = gatehouse.images;
    const before = await count();
    await gatehouse.cluster.load(sibling);
    await create('unguarded', podOf('sibling', sibling.name));
    await untilJudged(sibling);
    const after = await count();
    expect(after.layers - before.layers).toBe(1);
    // The first image brought all of Debian.
    expect(after.bytes - before.bytes).toBeLessThan(before.bytes / 20);
  });
});

describe('the next pod that uses an image', () => {
  const REASON =
    /container app: registry\.test\/shop\/vulnerable:1\S* has known exploited vulnerabilities \(1\), critical vulnerabilities with a fix \(1\): GHSA-jpcq-cgw6-v4j6 in npm\/jquery@3\.4\.1 \(fixed in 3\.5\.0\); GHSA-xvch-5gv4-984h in npm\/minimist@1\.2\.0 \(fixed in 1\.2\.6\)/;

  it('is denied where the namespace enforces, and kubectl says why', async () => {
    const { code, stderr } = await create('enforcing', podOf('denied', gatehouse.images.vulnerable.name));
    expect(code).toBe(1);
    expect(stderr).toContain('admission webhook "enforce.gatehouse.dev" denied the request');
    expect(stderr).toMatch(REASON);
  });

  it('gets the same answer by digest as by tag', async () => {
    const { code, stderr } = await create(
      'enforcing',
      podOf('digest', byDigest(gatehouse.images.vulnerable)),
    );
    expect(code).toBe(1);
    expect(stderr).toMatch(/has known exploited vulnerabilities \(1\)/);
  });

  it('is denied by the id of the image as well, whole or cut short', async () => {
    const { id } = gatehouse.images.vulnerable;
    for (const [index, image] of [id, id.slice(0, 'sha256:'.length + 6)].entries()) {
      expect((await create('enforcing', podOf(`by-id-${index}`, image))).code).not.toBe(0);
    }
  });

  it('is allowed if the image is clean, pinned to the digest that was judged, and it runs', async () => {
    const { clean } = gatehouse.images;
    await gatehouse.cluster.load(clean);
    await create('unguarded', podOf('clean', clean.name));
    expect((await untilJudged(clean)).verdict).toMatchObject({ fixable: { critical: 0 }, knownExploited: 0 });
    await eventually(
      async () => {
        await gatehouse.cluster.kubectl(['delete', 'pod', 'clean', '-n', 'enforcing', '--ignore-not-found']);
        expect(await create('enforcing', podOf('clean', clean.name))).toMatchObject({ code: 0 });
        const pod = await get<{ spec: { containers: { image: string }[] } }>(
          'pod',
          'clean',
          '-n',
          'enforcing',
        );
        expect(pod.spec.containers[0]?.image).toBe(`${clean.name}@${clean.digest}`);
      },
      { what: 'the tag to be pinned' },
    );
    const wait = ['wait', '--for=condition=Ready', 'pod/clean', '-n', 'enforcing', '--timeout=60s'];
    expect(await gatehouse.cluster.kubectl(wait)).toMatchObject({ code: 0 });
  });

  it('through a Deployment: the workload is admitted with a warning, its pods are denied', async () => {
    const labels = { app: 'shop' };
    const deployment = {
      apiVersion: 'apps/v1',
      kind: 'Deployment',
      metadata: { name: 'shop' },
      spec: {
        replicas: 1,
        selector: { matchLabels: labels },
        template: { metadata: { labels }, spec: podSpec(gatehouse.images.vulnerable.name) },
      },
    };
    const { code, stderr } = await create('enforcing', deployment);
    expect(code).toBe(0);
    expect(stderr).toMatch(
      /Warning: pods of this Deployment will be denied: container app: registry\.test\/shop\/vulnerable:1/,
    );
    await eventually(
      async () => {
        const { stdout } = await gatehouse.cluster.kubectl([
          'get',
          'events',
          '-n',
          'enforcing',
          '-o',
          'json',
        ]);
        expect(stdout).toMatch(/FailedCreate/);
        expect(stdout).toMatch(/denied the request: container app: registry\.test\/shop\/vulnerable:1/);
      },
      { what: 'the replica set to be told why it gets no pod' },
    );
    const pods = await get<{ items: unknown[] }>('pods', '-n', 'enforcing', '-l', 'app=shop');
    expect(pods.items).toEqual([]);
  });

  it.each([
    ['allowed', 'enforcing', 0],
    ['denied', 'strict', 1],
  ])('is %s in %s if nobody knows the image', async (_what, namespace, expected) => {
    const { code, stderr } = await create(namespace, podOf('stranger', gatehouse.images.stranger.name));
    expect(code, stderr).toBe(expected);
    if (expected === 1)
      expect(stderr).toContain('is not known yet, and this namespace admits known images only');
  });

  it('is admitted with a warning where the namespace is warned', async () => {
    const { code, stderr } = await create('warned', podOf('warned', gatehouse.images.vulnerable.name));
    expect(code).toBe(0);
    expect(stderr).toMatch(/Warning: would be denied: container app/);
  });

  it('is admitted in silence where the namespace is audited, and counted', async () => {
    const counted = async (): Promise<number> => {
      const webhooks = await gatehouse.pods('webhook');
      const counts = webhooks.map((pod) =>
        gatehouse.metric(pod, 'gatehouse_admission_reviews_total', 'outcome="audit"'),
      );
      return (await Promise.all(counts)).reduce((sum, count) => sum + count, 0);
    };
    const before = await counted();
    const { code, stderr } = await create('audited', podOf('audited', gatehouse.images.vulnerable.name));
    expect([code, stderr]).toEqual([0, '']);
    expect(await counted()).toBe(before + 1);
  });

  it('is judged by its init containers and image volumes as well', async () => {
    const { clean, vulnerable } = gatehouse.images;
    const init = podOf('init', clean.name, { initContainers: [{ name: 'setup', image: vulnerable.name }] });
    expect((await create('enforcing', init)).stderr).toContain(
      'init container setup: registry.test/shop/vulnerable:1',
    );
    const volume = podOf('volume', clean.name, {
      volumes: [{ name: 'model', image: { reference: vulnerable.name } }],
    });
    expect((await create('enforcing', volume)).stderr).toContain(
      'image volume model: registry.test/shop/vulnerable:1',
    );
  });

  it('is not entered by kubectl debug with a vulnerable image, but with a clean one', async () => {
    const debug = (image: Image) =>
      gatehouse.cluster.kubectl([
        'debug',
        '-n',
        'enforcing',
        'clean',
        '--image',
        image.name,
        '--image-pull-policy=IfNotPresent',
        '--profile=general',
      ]);
    const denied = await debug(gatehouse.images.vulnerable);
    expect(denied.code).toBe(1);
    expect(denied.stderr).toMatch(
      /denied the request: ephemeral container debugger-\w+: registry\.test\/shop\/vulnerable:1/,
    );
    expect(await debug(gatehouse.images.clean)).toMatchObject({ code: 0 });
  });
});

describe('a new advisory', () => {
  it('turns an allowed image into a denied one within 5 s of its import, at every webhook', async () => {
    const image = byDigest(gatehouse.images.clean);
    const webhooks = await gatehouse.pods('webhook');
    expect(webhooks).toHaveLength(3);
    for (const pod of webhooks) expect(await allows(pod, image)).toBe(true);

    await gatehouse.feeds.put('Debian', {
      id: 'DLA-0000-1',
      modified: new Date().toISOString(),
      affected: [
        {
          package: { ecosystem: 'Debian:12', name: 'bash' },
          ranges: [{ type: 'ECOSYSTEM', events: [{ introduced: '0' }, { fixed: '99' }] }],
        },
      ],
      severity: [{ type: 'CVSS_V3', score: 'CVSS:3.1/AV:N/AC:L/PR:N/UI:N/S:U/C:H/I:H/A:H' }],
    });
    const importedAt = async (): Promise<number> => {
      const { feeds } = await gatehouse.api<{ feeds: { name: string; importedAt: string }[] }>('/feeds');
      return Date.parse(feeds.find(({ name }) => name === 'Debian')?.importedAt ?? '');
    };
    const before = await importedAt();
    await gatehouse.api('/feeds/refresh', 'POST');
    await eventually(
      async () => {
        for (const pod of webhooks)
          if (await allows(pod, image)) throw new Error(`${pod.name} still allows it`);
      },
      { what: 'every webhook to deny it' },
    );
    const denied = Date.now();
    const ended = await importedAt();
    expect(ended).toBeGreaterThan(before);
    expect(denied - ended).toBeLessThan(DENIAL_WITHIN_MS);
    expect((await create('enforcing', podOf('after', gatehouse.images.clean.name))).stderr).toContain(
      'DLA-0000-1',
    );
  });

  it('that is taken back lets the image in again', async () => {
    await gatehouse.feeds.remove('Debian', 'DLA-0000-1');
    await gatehouse.api('/feeds/refresh', 'POST');
    await eventually(
      async () => {
        for (const pod of await gatehouse.pods('webhook')) {
          if (!(await allows(pod, byDigest(gatehouse.images.clean))))
            throw new Error(`${pod.name} denies it`);
        }
      },
      { what: 'every webhook to allow it' },
    );
  });
});

describe('without the core', () => {
  const scale = (replicas: number) =>
    gatehouse.cluster.kubectl([
      'scale',
      '-n',
      'gatehouse-system',
      'deployment/gatehouse-core',
      `--replicas=${replicas}`,
    ]);

  const decidesAsBefore = async (): Promise<void> => {
    const { clean, vulnerable } = gatehouse.images;
    for (const pod of await gatehouse.pods('webhook')) {
      expect(await allows(pod, byDigest(clean))).toBe(true);
      expect(await allows(pod, vulnerable.name)).toBe(false);
    }
    const { code } = await create('enforcing', podOf('coreless', vulnerable.name));
    expect(code).toBe(1);
  };

  it('decisions go on', async () => {
    await scale(0);
    await eventually(async () => expect(await gatehouse.pods('core')).toEqual([]), {
      what: 'the core to be gone',
    });
    await decidesAsBefore();
  });

  it('a webhook that is restarted decides from what it kept on disk', async () => {
    const [pod] = await gatehouse.pods('webhook');
    if (!pod) throw new Error('there is no webhook');
    await gatehouse.cluster.ctr(['tasks', 'kill', '--signal', 'SIGKILL', pod.containerId]);
    await eventually(
      async () => {
        const again = (await gatehouse.pods('webhook')).find(({ name }) => name === pod.name);
        expect(again?.restarts).toBe(pod.restarts + 1);
        expect(again?.ready).toBe(true);
      },
      { what: 'the webhook to be ready again', timeout: 60_000 },
    );
    await decidesAsBefore();
  });

  it('and once it is back, verdicts flow again to all webhooks', async () => {
    await scale(2);
    await gatehouse.untilReady('core');
    const { stranger } = gatehouse.images;
    await gatehouse.cluster.load(stranger);
    await create('unguarded', podOf('stranger', stranger.name));
    await untilJudged(stranger, 60_000);
    await eventually(
      async () => {
        for (const pod of await gatehouse.pods('webhook')) {
          expect(await gatehouse.metric(pod, 'gatehouse_verdict_age_seconds')).toBeLessThan(15);
          const { body } = await gatehouse.post(pod, '/mutate/enforce', reviewOf(stranger.name));
          expect(body).toContain('JSONPatch');
        }
      },
      { what: 'every webhook to know the image', timeout: 60_000 },
    );
  });
});

describe('under a steady load of pod creations, no review is lost', () => {
  async function lossesDuring(
    change: () => Promise<void>,
  ): Promise<{ created: number; failed: readonly unknown[] }> {
    const load = startLoad(gatehouse.cluster, {
      namespace: 'enforcing',
      image: byDigest(gatehouse.images.clean),
      perSecond: PODS_PER_SECOND,
    });
    await change();
    const outcomes = await load.stop();
    const failed = outcomes.filter(({ status }) => status !== 201);
    await gatehouse.cluster.kubectl([
      'delete',
      'pods',
      '-n',
      'enforcing',
      '--field-selector=status.phase=Pending',
      '--wait=false',
    ]);
    return { created: outcomes.length - failed.length, failed };
  }

  it('by a rolling restart of the webhook', async () => {
    const before = new Set((await gatehouse.pods('webhook')).map(({ name }) => name));
    const { created, failed } = await lossesDuring(async () => {
      await gatehouse.cluster.kubectl([
        'rollout',
        'restart',
        '-n',
        'gatehouse-system',
        'deployment/gatehouse-webhook',
      ]);
      await gatehouse.untilReady('webhook');
      await eventually(
        async () => {
          const pods = await get<{ items: { metadata: { name: string } }[] }>(
            ...['pods', '-n', 'gatehouse-system', '-l', 'app.kubernetes.io/name=gatehouse-webhook'],
          );
          expect(pods.items.filter(({ metadata }) => before.has(metadata.name))).toEqual([]);
        },
        { what: 'the old pods to be gone', timeout: 150_000 },
      );
    });
    expect(failed).toEqual([]);
    expect(created).toBeGreaterThan(PODS_PER_SECOND * 10);
  });

  it('by a renewal of its certificate', async () => {
    const [pod] = await gatehouse.pods('webhook');
    if (!pod) throw new Error('there is no webhook');
    const before = await servedSerial(pod);
    const bundles = new Set<string>();
    const { created, failed } = await lossesDuring(async () => {
      const secret = ['annotate', 'secret', '-n', 'gatehouse-system', 'gatehouse-webhook-tls'];
      await gatehouse.cluster.kubectl([...secret, `gatehouse.dev/renew=${Date.now()}`]);
      await eventually(
        async () => {
          for (const bundle of await caBundles()) bundles.add(bundle);
          for (const each of await gatehouse.pods('webhook'))
            expect(await servedSerial(each)).not.toBe(before);
        },
        { what: 'every webhook to serve the new certificate', timeout: 120_000 },
      );
    });
    expect(failed).toEqual([]);
    expect(created).toBeGreaterThan(PODS_PER_SECOND * 5);
    // Before the switch, the API server trusted both authorities.
    const authorities = [...bundles].map((bundle) => bundle.match(/BEGIN CERTIFICATE/g)?.length);
    expect(authorities).toContain(2);
  });

  async function caBundles(): Promise<readonly string[]> {
    const { webhooks } = await get<{ webhooks: { clientConfig: { caBundle: string } }[] }>(
      ...['validatingwebhookconfiguration', 'gatehouse'],
    );
    return webhooks.map(({ clientConfig }) => Buffer.from(clientConfig.caBundle, 'base64').toString('utf8'));
  }

  function servedSerial(pod: Pod): Promise<string> {
    return new Promise((resolve, reject) => {
      const socket = connect({ host: pod.ip, port: 8443, rejectUnauthorized: false }, () => {
        const certificate: X509Certificate | undefined = socket.getPeerX509Certificate();
        socket.destroy();
        if (certificate) resolve(certificate.serialNumber);
        else reject(new Error('it shows no certificate'));
      });
      socket.on('error', reject);
    });
  }
});

describe('broken input', () => {
  it.each<[string, string | Buffer, number]>([
    ['nothing', '', 400],
    ['a review that is cut off', reviewOf('a:1').slice(0, 80), 400],
    ['8 MiB', Buffer.alloc(8 * 1024 * 1024, 0x20), 413],
    ['another kind', '{"apiVersion":"v1","kind":"Pod"}', 400],
    [
      'deep nesting',
      reviewOf('a:1').replace('"object":{', `"object":{"x":${'['.repeat(1e5)}${']'.repeat(1e5)},`),
      200,
    ],
    ['bytes that are no UTF-8', Buffer.from([0x7b, 0x22, 0xc3, 0x28, 0x22, 0x7d]), 400],
  ])('%s gets a well-formed answer, and the process lives', async (_what, body, expected) => {
    const [pod] = await gatehouse.pods('webhook');
    if (!pod) throw new Error('there is no webhook');
    const { status, body: answer } = await gatehouse.post(pod, '/validate/enforce', body);
    expect(status).toBe(expected);
    expect(JSON.parse(answer)).toMatchObject({ kind: 'AdmissionReview', response: { allowed: false } });
    expect(await allows(pod, gatehouse.images.vulnerable.name)).toBe(false);
    const after = (await gatehouse.pods('webhook')).find(({ name }) => name === pod.name);
    expect(after?.restarts).toBe(pod.restarts);
  });
});

describe('the component runtime-facts', () => {
  it('lets the agents see what containers run', async () => {
    await gatehouse.extend('runtime-facts');
    const command = ['sh', '-c', 'cp /bin/sleep /tmp/added; exec /tmp/added infinity'];
    const container = { name: 'app', image: gatehouse.images.clean.name, command };
    await gatehouse.cluster.load(gatehouse.images.clean);
    expect(
      await create('unguarded', podOf('drifting', container.image, { containers: [container] })),
    ).toMatchObject({ code: 0 });
    await eventually(
      async () => {
        const { drift } = await gatehouse.api<{ drift: readonly object[] }>('/drift?limit=500');
        expect(drift.filter((each) => 'pod' in each && each.pod === 'drifting')).toMatchObject([
          { namespace: 'unguarded', name: 'app', kind: 'written', path: '/tmp/added' },
        ]);
      },
      // The agent is replaced, and looks 10 s after it has seen a container; then in a minute.
      { what: 'the drift to be told', timeout: 150_000 },
    );
  });
});

describe('the installation', () => {
  it('gives nobody more than it needs: only the agents are not held to the strictest level', async () => {
    const { items } = await get<{ items: { metadata: { name: string; labels: Record<string, string> } }[] }>(
      ...['namespaces', '-l', 'app.kubernetes.io/part-of=gatehouse'],
    );
    const levels = items.map(({ metadata }) => [
      metadata.name,
      metadata.labels['pod-security.kubernetes.io/enforce'],
    ]);
    expect(Object.fromEntries(levels)).toEqual({
      'gatehouse-system': 'restricted',
      'gatehouse-agents': 'privileged',
    });
  });

  it('left the API server no reason to pass a pod of an enforcing namespace unjudged', async () => {
    const [pod] = await gatehouse.pods('webhook');
    expect(pod?.ready).toBe(true);
    const events = (await readFile(gatehouse.cluster.auditLog, 'utf8'))
      .split('\n')
      .filter((line) => line.includes('failed-open.'));
    const open = events.filter(
      (line) => line.includes('"namespace":"enforcing"') && line.includes('validating'),
    );
    expect(open).toEqual([]);
  });
});
