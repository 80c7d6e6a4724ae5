import { formatVerdictLine, parseVerdict, type Verdict } from '@gatehouse/policies';

/** An image with its verdict. */
export interface BenchImage {
  readonly digest: string;
  readonly name: string;
  readonly verdict: Verdict;
}

const SEVERITIES = ['high', 'medium', 'low'] as const;

/** Images as a large organisation has them: a few findings each, some twenty, one in twenty that the policy denies. */
export function benchImages(count: number): BenchImage[] {
  return Array.from({ length: count }, (_, n) => {
    const isBad = n % 20 === 0;
    const findings = Array.from({ length: n % 10 === 0 ? 20 : n % 6 }, (_, f) => ({
      id: `CVE-2024-${10_000 + ((n * 7 + f) % 50_000)}`,
      aliases: [`GHSA-${n.toString(36).padStart(4, 'x')}-${f}`],
      purl: `pkg:npm/package-${(n + f) % 5_000}@1.${f}.0`,
      severity: isBad && f === 0 ? ('critical' as const) : (SEVERITIES[f % 3] ?? 'low'),
      cvss: 5.5,
      fixedIn: `1.${f}.1`,
      published: '2024-05-06T07:08:09Z',
    }));
    return {
      digest: digestOf(n),
      name: `registry.example/team-${n % 200}/app-${n}:v1`,
      verdict: parseVerdict({
        state: 'ready',
        revision: n + 1,
        asOf: { sbom: '2026-01-02T03:04:05Z', feeds: '2026-01-02T00:00:00Z' },
        counts: { high: findings.length },
        fixable: { critical: isBad ? 1 : 0, high: findings.length },
        os: { id: 'debian', versionId: '12' },
        findings,
      }),
    };
  });
}

const digestOf = (n: number): string => `sha256:${n.toString(16).padStart(64, '0')}`;

/** The lines of the verdicts file with these images. */
export function verdictLines(images: readonly BenchImage[]): string {
  return images
    .map(({ digest, name, verdict }) =>
      formatVerdictLine({ digest, aliases: [name], verdict: JSON.stringify(verdict) }),
    )
    .join('');
}

/** A review of a pod with two containers, such as a controller creates it; no two are the same. */
export function benchReview(images: readonly BenchImage[], n: number): object {
  const [app, sidecar] = [n, n * 31 + 7].map((each) => images[each % images.length]);
  const container = (name: string, image: BenchImage | undefined): object => ({
    name,
    image: image?.name,
    env: [
      { name: 'INSTANCE', value: `instance-${n}` },
      { name: 'LOG_LEVEL', value: 'info' },
    ],
    resources: { requests: { cpu: '100m', memory: '128Mi' }, limits: { memory: '256Mi' } },
    ports: [{ containerPort: 8080, protocol: 'TCP' }],
    imagePullPolicy: 'IfNotPresent',
    terminationMessagePath: '/dev/termination-log',
    volumeMounts: [
      { name: 'kube-api-access', readOnly: true, mountPath: '/var/run/secrets/kubernetes.io/serviceaccount' },
    ],
    securityContext: { allowPrivilegeEscalation: false, capabilities: { drop: ['ALL'] } },
  });
  return {
    apiVersion: 'admission.k8s.io/v1',
    kind: 'AdmissionReview',
    request: {
      uid: `00000000-0000-4000-8000-${n.toString().padStart(12, '0')}`,
      kind: { group: '', version: 'v1', kind: 'Pod' },
      resource: { group: '', version: 'v1', resource: 'pods' },
      requestKind: { group: '', version: 'v1', kind: 'Pod' },
      requestResource: { group: '', version: 'v1', resource: 'pods' },
      name: `shop-${n}`,
      namespace: 'shop',
      operation: 'CREATE',
      userInfo: {
        username: 'system:serviceaccount:kube-system:replicaset-controller',
        groups: ['system:serviceaccounts', 'system:serviceaccounts:kube-system', 'system:authenticated'],
      },
      object: {
        kind: 'Pod',
        apiVersion: 'v1',
        metadata: {
          name: `shop-${n}`,
          namespace: 'shop',
          labels: { app: 'shop', 'pod-template-hash': '5d4f8c7b9' },
          annotations: { 'example.org/checksum': `${n}` },
          ownerReferences: [
            { apiVersion: 'apps/v1', kind: 'ReplicaSet', name: 'shop-5d4f8c7b9', controller: true },
          ],
          managedFields: [
            {
              manager: 'kube-controller-manager',
              operation: 'Update',
              fieldsV1: { 'f:spec': { 'f:containers': {} } },
            },
          ],
        },
        spec: {
          volumes: [
            { name: 'kube-api-access', projected: { sources: [{ serviceAccountToken: { path: 'token' } }] } },
          ],
          containers: [container('app', app), container('sidecar', sidecar)],
          restartPolicy: 'Always',
          serviceAccountName: 'shop',
          securityContext: { runAsNonRoot: true },
          tolerations: [
            {
              key: 'node.kubernetes.io/not-ready',
              operator: 'Exists',
              effect: 'NoExecute',
              tolerationSeconds: 300,
            },
          ],
        },
        status: {},
      },
      oldObject: null,
      dryRun: false,
      options: { kind: 'CreateOptions', apiVersion: 'meta.k8s.io/v1' },
    },
  };
}

/** The same question as OPA's server takes it: what the webhook would give its policy. */
export function opaQuery(byName: ReadonlyMap<string, BenchImage>, review: object): object {
  const { request } = review as {
    request: { object: { spec: { containers: { name: string; image: string }[] } } };
  };
  return {
    input: {
      request,
      images: request.object.spec.containers.map(({ name, image }) => ({
        container: name,
        position: 'container',
        reference: image,
        digest: byName.get(image)?.digest,
        verdict: byName.get(image)?.verdict,
        verdictAgeSeconds: 0,
      })),
      namespace: { name: 'shop', labels: {} },
      cluster: 'bench',
      mode: 'enforce',
      unknown: 'allow',
      now: '2026-01-02T03:04:05Z',
    },
  };
}
